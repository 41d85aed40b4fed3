"""A thread's life and its exact totals by state and reason, from its slot alone.

They hold for the whole run also where the records of a part of it were overwritten; see `timeline` for those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from headway.trace.format import Ints, Kind, ThreadFlag
from headway.trace.image import ProcessImage
from headway.trace.interval import KINDS, RUNNING, UNKNOWN


@dataclass(slots=True)
class Life:
    """When a thread lived, and exactly how long in each state.

    Attributes:
        ended: It is over: the thread ended, or its process did.
        open: It had not ended by itself: its last state ends with the process or the trace.
        totals: ns by kind, shape (KINDS,), int64; adds up to `end_ns - start_ns`.
        off_core_ns: Ready and other off-core time of the running time that no OFFCPU record tells of.
        astray_ns: How far the slot's own figures were from adding up; 0 but for a torn slot.
    """

    start_ns: int
    end_ns: int
    ended: bool
    open: bool
    totals: Ints
    off_core_ns: tuple[int, int]
    astray_ns: int


def life_of(
    slot: Any, image: ProcessImage, process_end_ns: int, *, process_ended: bool, off_share: float = 0.0
) -> Life:
    """Work out the life and the exact totals of a thread.

    Args:
        slot: Scalar of `format.THREAD`.
        image: The image that it lived in.
        process_end_ns: When its process ended, or the latest time known of it.
        process_ended: Whether that was its end.
        off_share: Of what it seems to have run since its CPU clock was last read, so much it was off the core: see
            `off_share_of`. It matters only where nobody read the clock at the end.
    """
    start = int(slot["created_ns"])
    own_end = int(slot["end_ns"])
    end = max(own_end or process_end_ns, start)
    closed = slot["total_ns"].astype(np.int64)
    kind = int(slot["kind"])
    since = min(int(slot["since_ns"]), end)
    totals = np.zeros(KINDS, np.int64)
    totals[: Kind.BURST] = closed
    totals[UNKNOWN] = 0
    open_ns = end - since if since and Kind.NONE < kind < Kind.BURST else 0
    if open_ns:
        totals[kind] += open_ns
    astray = make_add_up(totals, end - start)

    ready, other = _off_core_at_end(slot, open_ns, off_share)
    for k, i in ((Kind.PYTHON, 0), (Kind.NATIVE, 1)):
        r = min(int(slot["ready_cpu_ns"][i]) + ready[i], int(totals[k]))
        o = min(int(slot["off_other_ns"][i]) + other[i], int(totals[k]) - r)
        totals[k] -= r + o
        totals[Kind.CPU] += r
        totals[Kind.OTHER] += o
    if not image.running_known:
        totals[RUNNING] = totals[Kind.PYTHON] + totals[Kind.NATIVE]
        totals[Kind.PYTHON] = totals[Kind.NATIVE] = 0
    return Life(
        start, end, bool(own_end) or process_ended, not own_end, totals, (sum(ready), sum(other)), astray
    )


def make_add_up(totals: Ints, life_ns: int) -> int:
    """Make totals add up to a life, in place: what is missing is unknown, what is too much goes off the largest.

    Both are 0 but for what was just being written when its process was killed: that is off by one interval.

    Returns:
        What was missing; negative if it was too much.
    """
    astray = life_ns - int(totals.sum())
    if astray > 0:
        totals[UNKNOWN] += astray
    while (excess := int(totals.sum()) - life_ns) > 0:
        largest = int(totals.argmax())
        totals[largest] -= min(excess, int(totals[largest]))
    return astray


def off_share_of(slots: list[Any], lives: list[Life], cpu_ns: int) -> float:
    """How much of their unread running time the threads of a killed process were off the core, on average.

    A process that is killed reads no clocks. A thread that was in native code then, or waited in a way that is not seen
    (a spinning thread pool of a BLAS), would seem to have run all the while; but the kernel knows what they used
    together.

    Args:
        slots: Scalars of `format.THREAD`, all of an image.
        lives: Of these, by `life_of`.
        cpu_ns: What the process used at most.
    Returns:
        From 0 to 1, for `life_of`.
    """
    unread = 0
    for slot, life in zip(slots, lives, strict=True):
        if life.open and not int(slot["flags"]) & ThreadFlag.CPU_AT_END:
            unread += sum(_unread_ns(slot, max(life.end_ns - int(slot["since_ns"]), 0)))
    seems = sum(int(life.totals[k]) for life in lives for k in (Kind.PYTHON, Kind.NATIVE, RUNNING))
    return min(1.0, max(0, seems - cpu_ns) / unread) if unread else 0.0


def _off_core_at_end(slot: Any, open_ns: int, off_share: float) -> tuple[list[int], list[int]]:
    """Off-core time since the last reading of the thread's CPU clock: ready and other, of PYTHON and NATIVE.

    Known where the ending thread read the clocks of the others; else by `off_share`. CPU time spent inside blocking
    calls counts as time on a core here, so this can be too little, never too much.
    """
    if int(slot["end_ns"]):
        return [0, 0], [0, 0]
    running = _unread_ns(slot, open_ns)
    if not int(slot["flags"]) & ThreadFlag.CPU_AT_END:
        return [0, 0], [int(ns * off_share) for ns in running]
    whole = sum(running)
    off = min(whole - (int(slot["end_cpu_ns"]) - int(slot["cpu_ns"])), whole)
    if off <= 0:
        return [0, 0], [0, 0]
    off_ready = min(off, max(0, int(slot["end_run_delay_ns"]) - int(slot["run_delay_ns"])))
    off_native = off * running[1] // whole
    ready_native = min(off_ready * running[1] // whole, off_native)
    ready_python = min(off_ready - ready_native, off - off_native)
    return [ready_python, ready_native], [off - off_native - ready_python, off_native - ready_native]


def _unread_ns(slot: Any, open_ns: int) -> list[int]:
    """How long a thread seems to have run since its CPU clock was last read, with its last state: PYTHON, NATIVE."""
    kind, (python, native) = int(slot["kind"]), slot["window_run_ns"]
    return [
        int(python) + (open_ns if kind == Kind.PYTHON else 0),
        int(native) + (open_ns if kind == Kind.NATIVE else 0),
    ]
