"""Intervals as columns: one row a stretch of one thread's life in one state for one reason."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headway.trace.format import Kind
from headway.units import Certainty, Reason, State

UNKNOWN = 0
"""Kind of an interval of which the records were overwritten."""
RUNNING = 16
"""Kind of a running interval where `python` and `native` cannot be told apart."""
LOOP = 17
"""Kind of an interval in which a task could go on, and its event loop ran another."""
QUEUED = 18
"""Kind of an interval in which a job was in the queue of its pool."""
KINDS = 19

STATE_OF: dict[int, tuple[State | None, Reason]] = {
    UNKNOWN: (None, Reason.UNKNOWN),
    Kind.START: (State.START, Reason.UNKNOWN),
    Kind.PYTHON: (State.RUNNING, Reason.PYTHON),
    Kind.NATIVE: (State.RUNNING, Reason.NATIVE),
    RUNNING: (State.RUNNING, Reason.UNKNOWN),
    Kind.GIL: (State.READY, Reason.GIL),
    Kind.CPU: (State.READY, Reason.CPU),
    LOOP: (State.READY, Reason.LOOP),
    QUEUED: (State.READY, Reason.QUEUE),
    **{kind: (State.WAITING, Reason[kind.name]) for kind in Kind if Kind.LOCK <= kind <= Kind.OTHER},
}
"""State and reason of each kind of interval; the state is None where it is not known."""

CERTAINTY = (Certainty.EXACT, Certainty.SAMPLED, Certainty.INFERRED)
EXACT, SAMPLED, INFERRED = range(3)

INTERVAL = np.dtype(
    [
        ("start_ns", "i8"),
        ("end_ns", "i8"),
        ("a", "u4"),
        ("b", "u4"),
        ("c", "u4"),
        ("d", "u4"),
        ("kind", "u1"),
        ("certainty", "u1"),
    ],
    align=True,
)
"""One interval. `kind` is a key of `STATE_OF`, `certainty` an index of `CERTAINTY`; a to d as in record.h."""

Intervals = NDArray[np.void]
