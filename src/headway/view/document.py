"""What a page is made of, as plain data: the report, and the lanes of all units in columns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from headway.trace.format import Kind
from headway.trace.locks import Lock
from headway.trace.model import Job, Process, Task, Thread, Trace
from headway.trace.report.contents import Contents, gather, outcome
from headway.trace.report.contract import document as report_of
from headway.units import REASONS, State
from headway.view.batons import batons
from headway.view.columns import pack
from headway.view.places import Places
from headway.view.rows import ROW, Numbers, Rows, thread_rows
from headway.view.turns import Turns

HOLDS = 20_000
"""How many holds of locks are told: the longest of those that others waited for."""
_LEFT_OUT = ("waits",)
_LEFT_OUT_OF_UNITS = ("created_stack",)


def document(directory: Path) -> dict[str, Any]:
    """Read a trace, and gather what its page shows. All times are ns from the trace's start.

    Args:
        directory: The trace.
    Returns:
        `report`: the JSON report, but for the longest waits, which the page finds itself; `lanes`, each with the unit
        that it is of, how many rows of the columns it has, when it starts, and, of a GIL's, its number; `columns`;
        `holds`; the tables of `Places`.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # see headway.cli.trace
    contents = gather(directory)
    trace = contents.trace
    places = Places(trace)
    threads = _of_threads(trace, contents.locks, places)
    turns = Turns(trace, places, threads)
    lanes: list[dict[str, Any]] = []
    parts: list[Rows] = []
    for unit in trace.units:
        found: dict[int | None, Rows] = {}
        if isinstance(unit, Process):
            for number, held in batons(trace, unit).items():
                found[number] = held
        elif isinstance(unit, Thread):
            found[None] = threads[unit.id]
        elif isinstance(unit, Task):
            found[None] = turns.task(unit)
        elif isinstance(unit, Job):
            found[None] = turns.job(unit)
        for gil, rows in found.items():
            if len(rows):
                start = int(rows["start_ns"][0]) - trace.start_ns
                lanes.append({"unit": unit.id, "gil": gil, "rows": len(rows), "start": start})
                parts.append(rows)
    holds = _holds(trace, contents.locks, places)
    return {
        "headway_view": 1,
        "title": directory.name,
        "cwd": trace.meta.cwd,
        "outcome": outcome(trace),
        "wall_ns": trace.end_ns - trace.start_ns,
        "states": {state.value: [reason.value for reason in REASONS[state]] for state in State},
        "report": _report(contents),
        "lanes": lanes,
        "columns": _columns(parts),
        "holds": holds,
        "releases": {lock.id: places.number(lock.release) for lock in contents.locks if lock.release},
        "created": {
            unit.id: places.number(stack) for unit in trace.units if (stack := getattr(unit, "created", ()))
        },
        **places.tables(),
    }


def _of_threads(trace: Trace, locks: list[Lock], places: Places) -> dict[int, Rows]:
    numbers = {index: Numbers(trace, index, locks) for index in range(len(trace.images))}
    return {
        thread.id: thread_rows(trace, thread, numbers[thread.image_index], places) for thread in trace.threads
    }


def _report(contents: Contents) -> dict[str, Any]:
    report = {key: value for key, value in report_of(contents).items() if key not in _LEFT_OUT}
    report["units"] = [
        {key: value for key, value in unit.items() if key not in _LEFT_OUT_OF_UNITS}
        for unit in report["units"]
    ]
    return report


def _columns(parts: list[Rows]) -> dict[str, Any]:
    """All rows in columns. Times are `gap`, from the end of the row before in its lane, and `length`."""
    rows = np.concatenate([np.zeros(0, ROW), *parts])
    gap = np.zeros(len(rows), np.int64)
    gap[1:] = rows["start_ns"][1:] - rows["end_ns"][:-1]
    gap[np.cumsum([0, *map(len, parts)])[:-1]] = 0  # the first of each lane, whose start its entry tells
    return {
        "gap": pack(np.maximum(gap, 0)),
        "length": pack(rows["end_ns"] - rows["start_ns"]),
        "kind": pack(rows["kind"] | rows["certainty"] << 5),
        **{name: pack(rows[name]) for name in ("stack", "on", "by", "waker")},
    }


def _holds(trace: Trace, locks: list[Lock], places: Places) -> list[list[int]]:
    """Holds of locks for which others waited: [lock, thread, start, end, stack where it was released]."""
    ids = {(lock.image_index, lock.number): lock.id for lock in locks}
    found = []
    for thread in trace.threads:
        beside = thread.image.beside.get(thread.number)
        if beside is None:
            continue
        for record in beside[(beside["dur_kind"] & 0xFF) == Kind.HOLD]:
            lock = ids.get((thread.image_index, int(record["a"])))
            if lock is None or int(record["d"]):  # the latter are many holds in one
                continue
            start = int(record["start_ns"]) - trace.start_ns
            stack = places.number(trace.stacks[thread.image_index][int(record["b"])])
            found.append([lock, thread.id, start, start + (int(record["dur_kind"]) >> 8), stack])
    found.sort(key=lambda hold: hold[2] - hold[3])
    return sorted(found[:HOLDS], key=lambda hold: hold[3])
