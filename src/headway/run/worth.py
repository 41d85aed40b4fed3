"""Whether calls are worth sending to other processes."""

from __future__ import annotations

import pickle
import sys
import time

from headway.run.batch import Portion
from headway.run.measured import time_of

__all__ = ["START_NS", "not_worth"]

START_NS = 120_000_000
"""What it costs to start worker processes, when there are none."""
WAKE_NS = 5_000_000
"""What it costs to have those begin that are there."""
BYTES_NS = 0.5
"""What it costs to write a byte to shared memory, about 2 GB/s."""


def not_worth(sample: Portion | None, call_ns: float, left_ns: float, cores: int, there: bool) -> str | None:
    """Why sending calls would gain nothing; None if it would, or if only trying tells.

    Args:
        sample: Some calls that have ended.
        call_ns: What a call takes.
        left_ns: What all that are left take together.
        cores: How many there are.
        there: Whether there are worker processes already.
    """
    if sys.platform != "linux":
        return "worker processes need Linux"
    start_ns = WAKE_NS if there or _some_wait() else START_NS
    gain = 1 - 1 / cores
    if left_ns * gain < start_ns:
        return f"{time_of(left_ns)} of calls are left, starting processes takes {time_of(start_ns)}"
    if sample is None or not sample.values:
        return None
    began_ns = time.perf_counter_ns()
    buffers: list[pickle.PickleBuffer] = []
    try:
        place = sample.first
        pickle.dumps((sample.batch.items[place], sample.batch.kwargs), 5, buffer_callback=buffers.append)
        pickle.dumps(sample.values[0], 5, buffer_callback=buffers.append)
    except Exception:
        # Perhaps it takes a stronger pickler: sending tells, and what cannot be sent comes back here.
        return None
    sending_ns = 3 * (time.perf_counter_ns() - began_ns) + sum(len(b.raw()) for b in buffers) * BYTES_NS
    if sending_ns > call_ns * gain:
        return f"a call takes {time_of(call_ns)}, sending it {time_of(sending_ns)}"
    return None


def _some_wait() -> bool:
    """Whether earlier pools have left workers."""
    reserve = sys.modules.get("headway.run.process.reserve")  # if it was never imported, none has
    return reserve is not None and bool(reserve.some_wait())
