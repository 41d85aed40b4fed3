"""Lanes of what runs on threads in turn: tasks, greenlets and jobs, from their records and their entries."""

from __future__ import annotations

from typing import Any

import numpy as np

from headway.trace.format import NOBODY, Ints, Kind, Records
from headway.trace.interval import EXACT, INFERRED, LOOP, QUEUED, RUNNING, UNKNOWN
from headway.trace.model import Job, Task, Trace
from headway.view.places import Places
from headway.view.rows import ROW, UNIT, Rows, cut

_ON_THREAD = 255
"""Kind, for a moment: it has its thread, and does what that does."""
_STEP = np.dtype(
    [
        ("unit", "i8"),
        ("thread", "u4"),
        ("start", "i8"),
        ("end", "i8"),
        *((n, "i8") for n in "bcd"),
        ("kind", "u1"),
    ]
)


class Turns:
    """Makes the lanes of the tasks, greenlets and jobs of a trace.

    Args:
        trace: The trace.
        places: For their stacks.
        threads: The rows of each thread, by its id.
    """

    def __init__(self, trace: Trace, places: Places, threads: dict[int, Rows]) -> None:
        self._trace = trace
        self._places = places
        self._threads = threads
        self._records: dict[int, tuple[Any, list[int]]] = {}

    def task(self, task: Task) -> Rows:
        """A task's, or greenlet's, life; no rows of a hub, of which its thread tells."""
        if task.role == "hub":
            return np.zeros(0, ROW)
        steps = self._of(task.image_index, task.number)
        parts = [
            self._steps(steps[steps["kind"] == Kind.STEP]),
            self._waits(steps[steps["kind"] == Kind.WAITED], task),
            self._last(task),
        ]
        known = _in_order(np.concatenate(parts), task)
        many = steps[steps["kind"] == Kind.STEPS]
        if len(many):
            folded = [_unfold(record, known) for record in many]
            known = _in_order(np.concatenate([known, *folded]), task)
        return self._on_threads(_filled(known, task))

    def job(self, job: Job) -> Rows:
        """A job's life: in the queue, then what its worker does."""
        rows = np.zeros(2, ROW)
        begun = min(max(job.begun_ns or job.end_ns, job.start_ns), job.end_ns)
        rows["start_ns"], rows["end_ns"] = [job.start_ns, begun], [begun, job.end_ns]
        rows["kind"] = [QUEUED, _ON_THREAD] if job.known else [UNKNOWN, UNKNOWN]
        rows["by"][1] = job.carrier or 0
        rows["stack"][0] = self._places.number(job.created)
        return self._on_threads(rows[rows["end_ns"] > rows["start_ns"]])

    # --- records

    def _of(self, image_index: int, number: int) -> Any:
        """Records of a unit, by start; dtype `_STEP`."""
        found = self._records.get(image_index)
        if found is None:
            found = self._records[image_index] = self._read(image_index)
        steps, edges = found
        return steps[edges[number] : edges[number + 1]]

    def _read(self, image_index: int) -> tuple[Any, list[int]]:
        """All records of an image by unit and start, and for each unit where its own begin."""
        parts = [np.zeros(0, _STEP)]
        for thread in self._trace.threads:
            if thread.image_index == image_index:
                parts += [_taken(block, thread.id) for block in thread.image.records(thread.number)]
        steps = np.concatenate(parts)
        steps = steps[np.lexsort((steps["start"], steps["unit"]))]
        units = np.arange(len(self._trace.images[image_index].inner) + 1)
        edges: list[int] = np.searchsorted(steps["unit"].copy(), units).tolist()
        return steps, edges

    def _steps(self, steps: Any) -> Rows:
        """That it was ready, and then had its thread."""
        rows = np.zeros(2 * len(steps), ROW)
        rows["start_ns"][0::2] = steps["start"] - steps["c"]
        rows["end_ns"][0::2] = rows["start_ns"][1::2] = steps["start"]
        rows["end_ns"][1::2] = steps["end"]
        rows["kind"][0::2], rows["kind"][1::2] = LOOP, _ON_THREAD
        rows["by"][1::2] = steps["thread"]
        return rows

    def _waits(self, waits: Any, task: Task) -> Rows:
        rows = np.zeros(len(waits), ROW)
        rows["start_ns"], rows["end_ns"] = waits["start"], waits["end"]
        kind = waits["d"] >> 24
        rows["kind"] = np.where((kind >= Kind.LOCK) & (kind <= Kind.OTHER), kind, Kind.OTHER)
        rows["stack"] = self._places.of(task.image_index, waits["b"].astype(np.uint32))
        rows["on"] = _marked(self._ids(task.image_index, waits["c"]))
        rows["waker"] = self._ids(
            task.image_index, np.where(waits["d"] & 0xFFFFFF, (waits["d"] & 0xFFFFFF) - 1, NOBODY)
        )
        return rows

    def _ids(self, image_index: int, numbers: Ints) -> Ints:
        found = (self._trace.inner(image_index, number) for number in numbers.tolist())
        return np.array([unit.id if unit is not None else 0 for unit in found], np.int64)

    def _last(self, task: Task) -> Rows:
        """What it did when the trace ended."""
        row = np.zeros(1, ROW)
        entry = self._trace.images[task.image_index].inner[task.number]
        state, since = int(entry["state"]), int(entry["since_ns"])
        if int(entry["end_ns"]) or not task.start_ns <= since < task.end_ns:
            return row[:0]
        row["start_ns"], row["end_ns"] = since, task.end_ns
        row["kind"] = LOOP if state == Kind.NONE else _ON_THREAD if state == Kind.PYTHON else Kind.OTHER
        row["by"] = (task.carrier or 0) if state == Kind.PYTHON else 0
        if task.waits_for is not None:
            row["kind"] = task.waits_for
            awaited = np.array([NOBODY if task.awaits is None else task.awaits])
            row["on"] = _marked(self._ids(task.image_index, awaited))
            row["stack"] = self._places.number(task.stack)
        return row

    def _on_threads(self, rows: Rows) -> Rows:
        """Put what its thread did where it had its thread."""
        parts = [rows[rows["kind"] != _ON_THREAD]]
        has = rows[rows["kind"] == _ON_THREAD]
        for thread in np.unique(has["by"]).tolist():
            spans = has[has["by"] == thread]
            of_thread = self._threads.get(thread)
            if of_thread is None:
                spans["kind"], spans["by"] = RUNNING, 0
                parts.append(spans)
                continue
            did, span = cut(of_thread, spans["start_ns"], spans["end_ns"])
            guessed = spans["certainty"][span] != EXACT
            did["certainty"][guessed] = INFERRED
            parts.append(did)
        out: Rows = np.concatenate(parts)
        return out[np.argsort(out["start_ns"], kind="stable")]


def _marked(ids: Ints) -> Ints:
    return np.where(ids, ids | UNIT, 0)


def _taken(block: Records, thread: int) -> Any:
    kinds = block["dur_kind"] & 0xFF
    some = block[(kinds == Kind.STEP) | (kinds == Kind.STEPS) | (kinds == Kind.WAITED)]
    steps = np.zeros(len(some), _STEP)
    steps["unit"], steps["thread"], steps["start"] = some["a"], thread, some["start_ns"]
    steps["end"] = steps["start"] + (some["dur_kind"] >> np.uint64(8)).astype(np.int64)
    steps["kind"] = some["dur_kind"] & 0xFF
    for name in "bcd":
        steps[name] = some[name]
    return steps


def _in_order(rows: Rows, task: Task) -> Rows:
    """Rows by start, within the task's life, each cut where the one before it ends."""
    rows["start_ns"] = np.clip(rows["start_ns"], task.start_ns, task.end_ns)
    rows["end_ns"] = np.clip(rows["end_ns"], task.start_ns, task.end_ns)
    rows = rows[np.argsort(rows["start_ns"], kind="stable")]
    if len(rows) > 1:
        rows["start_ns"][1:] = np.maximum(rows["start_ns"][1:], np.maximum.accumulate(rows["end_ns"])[:-1])
    return rows[rows["end_ns"] > rows["start_ns"]]


def _unfold(record: Any, known: Rows) -> Rows:
    """Short steps that were folded: how long it ran and was ready is exact, when is not.

    They are laid into what is left of the time between the waits that were recorded one by one.
    """
    start, end = int(record["start"]), int(record["end"])
    inside = known[(known["end_ns"] > start) & (known["start_ns"] < end)]
    edges = np.concatenate([[start], np.stack([inside["start_ns"], inside["end_ns"]], 1).ravel(), [end]])
    edges = np.clip(edges, start, end)
    gaps = edges.reshape(-1, 2)
    room = np.maximum(gaps[:, 1] - gaps[:, 0], 0)
    whole = max(int(room.sum()), 1)
    ran, ready = int(record["c"]), int(record["d"])
    rows = np.zeros(2 * len(gaps), ROW)
    run_ns = np.minimum((room * (min(ran, whole) / whole)).astype(np.int64), room)
    ready_ns = np.minimum((room * (min(ready, whole) / whole)).astype(np.int64), room - run_ns)
    # waiting comes first, and is what is left for `_filled`
    rows["end_ns"][1::2] = gaps[:, 1]
    rows["start_ns"][1::2] = rows["end_ns"][0::2] = gaps[:, 1] - run_ns
    rows["start_ns"][0::2] = gaps[:, 1] - run_ns - ready_ns
    rows["kind"][0::2], rows["kind"][1::2] = LOOP, _ON_THREAD
    rows["by"][1::2] = record["thread"]
    rows["certainty"] = INFERRED
    return rows


def _filled(rows: Rows, task: Task) -> Rows:
    """Rows that touch and cover the task's life. Between those that are known it waited, for too short to be told."""
    if task.end_ns <= task.start_ns:
        return rows[:0]
    waits = [kind for kind in range(Kind.LOCK, Kind.OTHER + 1) if task.totals[kind]]
    kind = max(waits, key=lambda kind: int(task.totals[kind]), default=int(Kind.OTHER))
    ends = np.concatenate([[task.start_ns], rows["end_ns"]])
    starts = np.concatenate([rows["start_ns"], [task.end_ns]])
    gaps = np.zeros(len(ends), ROW)
    gaps["start_ns"], gaps["end_ns"], gaps["kind"], gaps["certainty"] = ends, starts, kind, INFERRED
    gaps = gaps[gaps["end_ns"] > gaps["start_ns"]]
    if len(gaps) and int(gaps["start_ns"][0]) == task.start_ns and task.kind == "task":
        gaps["kind"][0] = LOOP  # a new task is in line at once
    filled: Rows = np.concatenate([rows, gaps])
    return filled[np.argsort(filled["start_ns"], kind="stable")]
