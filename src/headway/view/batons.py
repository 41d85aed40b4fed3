"""The lane of a GIL: who holds it, from hold to hold."""

from __future__ import annotations

import numpy as np

from headway.trace import timeline
from headway.trace.format import Kind
from headway.trace.interval import EXACT, INFERRED
from headway.trace.model import Process, Trace
from headway.view.rows import HELD, ROW, Rows


def batons(trace: Trace, process: Process) -> dict[int, Rows]:
    """The GILs of a process, by number; none where they were not found.

    Holds that were recorded one by one are exact. What was folded into a burst is laid between them, and cut where
    another thread has the GIL.
    """
    parts: dict[int, list[Rows]] = {}
    for thread in process.threads:
        if thread.image.gil is not True:
            continue
        for block in timeline.intervals(thread.image, thread.number, thread.life, off_core=False):
            python = block[block["kind"] == Kind.PYTHON]
            for number in np.unique(python["a"]).tolist():
                some = python[python["a"] == number]
                rows = np.zeros(len(some), ROW)
                for name in ("start_ns", "end_ns", "certainty"):
                    rows[name] = some[name]
                rows["by"] = thread.id
                rows["kind"] = HELD
                parts.setdefault(number, []).append(rows)
    return {number: _one_at_a_time(np.concatenate(found)) for number, found in sorted(parts.items())}


def _one_at_a_time(rows: Rows) -> Rows:
    """Sort holds by time. An inferred one gives way to an exact one, and the earlier of two to the later."""
    rows = rows[np.lexsort((rows["certainty"], rows["start_ns"]))]
    exact = rows[rows["certainty"] == EXACT]
    guessed = rows[rows["certainty"] != EXACT]
    if len(guessed) and len(exact):
        # where the exact hold before it ends, and where the one after it begins
        after = np.searchsorted(exact["start_ns"], guessed["start_ns"], "right")
        before_end = np.where(after > 0, exact["end_ns"][np.maximum(after - 1, 0)], 0)
        last = len(exact) - 1
        next_start = np.where(
            after <= last, exact["start_ns"][np.minimum(after, last)], np.iinfo(np.int64).max
        )
        guessed["start_ns"] = np.maximum(guessed["start_ns"], before_end)
        guessed["end_ns"] = np.minimum(guessed["end_ns"], next_start)
        rows = np.concatenate([exact, guessed])
        rows = rows[np.argsort(rows["start_ns"], kind="stable")]
    if len(rows) > 1:
        rows["end_ns"][:-1] = np.minimum(rows["end_ns"][:-1], rows["start_ns"][1:])
    rows = rows[rows["end_ns"] > rows["start_ns"]]
    return _joined(rows)


def _joined(rows: Rows) -> Rows:
    """Join holds of the same thread that touch."""
    if len(rows) < 2:
        return rows
    goes_on = (rows["by"][1:] == rows["by"][:-1]) & (rows["start_ns"][1:] == rows["end_ns"][:-1])
    first = np.flatnonzero(np.concatenate([[True], ~goes_on]))
    out: Rows = rows[first].copy()
    out["end_ns"] = rows["end_ns"][np.append(first[1:], len(rows)) - 1]
    guessed = np.add.reduceat((rows["certainty"] != EXACT).astype(np.int64), first) > 0
    out["certainty"] = np.where(guessed, INFERRED, EXACT)
    return out
