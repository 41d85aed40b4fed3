"""Rows of a lane: intervals with what the page tells of them, in numbers that mean the same in all lanes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headway.trace import timeline
from headway.trace.format import NOBODY, Ints, Kind
from headway.trace.interval import EXACT, INTERVAL, Intervals
from headway.trace.locks import Lock
from headway.trace.model import Thread, Trace
from headway.view.places import Places

ROW = np.dtype(
    [
        ("start_ns", "i8"),
        ("end_ns", "i8"),
        ("stack", "u4"),
        ("on", "u4"),
        ("by", "u4"),
        ("waker", "u4"),
        ("kind", "u1"),
        ("certainty", "u1"),
    ],
    align=True,
)
"""One interval of a lane. 0 is none in all of the following.

`stack` is a number of `Places`. `on`, `by` and `waker` are, by kind:

    lock to future   id of the lock, or of the unit with the bit `UNIT`; id of who had it; id of who ended the wait
    gil              -; who held it when the wait began; who dropped it last
    io               the descriptor + 1; what for (`format.Io`); -
    process          its number; -; -
    start            -; who made it; -
    held (a GIL)     -; who holds it; -
"""

Rows = NDArray[np.void]

UNIT = 1 << 31
"""Tells the id of a unit that a task waits for from that of a lock."""

HELD = 19
"""Kind of an interval of a GIL's lane: somebody holds it."""


class Numbers:
    """Turns numbers of one process image (slots, locks) into ids of the whole trace.

    Args:
        trace: The trace.
        image_index: Of the image.
        locks: All locks of the trace.
    """

    def __init__(self, trace: Trace, image_index: int, locks: list[Lock]) -> None:
        image = trace.images[image_index]
        self._units = np.zeros(len(image.threads) + 1, np.uint32)
        for thread in trace.threads:
            if thread.image_index == image_index:
                self._units[thread.number] = thread.id
        self._locks = np.zeros(len(image.locks) + 1, np.uint32)
        for lock in locks:
            if lock.image_index == image_index:
                self._locks[lock.number] = lock.id

    def units(self, slots: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Ids of threads; 0 for nobody."""
        return _look_up(self._units, slots)

    def locks(self, numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Ids of locks; 0 for none, and for one that nobody is known to have waited for."""
        return _look_up(self._locks, numbers)


def _look_up(table: NDArray[np.uint32], at: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The last entry, which is 0, for what is outside."""
    found: NDArray[np.uint32] = table[np.minimum(at, len(table) - 1)]
    return found


def thread_rows(trace: Trace, thread: Thread, numbers: Numbers, places: Places) -> Rows:
    """A thread's life: rows that touch and cover it."""
    blocks = list(timeline.intervals(thread.image, thread.number, thread.life))
    found: Intervals = np.concatenate(blocks) if blocks else np.zeros(0, INTERVAL)
    rows = np.zeros(len(found), ROW)
    for name in ("start_ns", "end_ns", "kind", "certainty"):
        rows[name] = found[name]
    kind, exact = found["kind"], found["certainty"] == EXACT
    # What rows of bursts and of off-core time would tell here is not theirs.
    rows["stack"] = np.where(exact, places.of(thread.image_index, found["b"]), 0)
    locked = exact & (kind >= Kind.LOCK) & (kind <= Kind.FUTURE)
    for some in (locked, exact & (kind == Kind.GIL)):
        rows["by"][some] = numbers.units(found["c"][some])
        rows["waker"][some] = numbers.units(found["d"][some])
    rows["on"][locked] = numbers.locks(found["a"][locked])
    # Who waits for what it has taken itself waits for a signal that another thread gives.
    rows["by"][locked & (rows["by"] == thread.id)] = 0
    of_io = exact & (kind == Kind.IO)
    rows["on"][of_io] = np.where(found["a"][of_io] == NOBODY, 0, found["a"][of_io] + 1)
    rows["by"][of_io] = found["c"][of_io]
    children = exact & (kind == Kind.PROCESS)
    rows["on"][children] = np.where(found["a"][children] == NOBODY, 0, found["a"][children])
    new = exact & (kind == Kind.START)
    rows["by"][new] = numbers.units(found["c"][new])
    rows["waker"][rows["waker"] == thread.id] = 0
    return rows


def cut(rows: Rows, start_ns: Ints, end_ns: Ints) -> tuple[Rows, Ints]:
    """What some rows that touch say of some spans: rows cut to them, and for each of which span it is."""
    lo = np.searchsorted(rows["end_ns"], start_ns, "right")
    hi = np.maximum(np.searchsorted(rows["start_ns"], end_ns, "left"), lo)
    span = np.repeat(np.arange(len(lo)), hi - lo)
    at = np.arange(len(span)) - np.repeat(np.cumsum(hi - lo) - (hi - lo), hi - lo) + lo[span]
    out: Rows = rows[at].copy()
    out["start_ns"] = np.maximum(out["start_ns"], start_ns[span])
    out["end_ns"] = np.minimum(out["end_ns"], end_ns[span])
    keep = out["end_ns"] > out["start_ns"]
    return out[keep], span[keep]
