"""How many threads calls get that mostly wait: more, as long as that raises the throughput."""

from __future__ import annotations

import math
import sys
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from headway.run.backends.contract import Backend
from headway.run.cores import available_cores
from headway.run.identity import same_work
from headway.run.measured import Window

__all__ = ["FULL", "Before", "Climb", "before", "ended", "forget"]

FIRST, MOST = 32, 512
STEP = 4
"""There are so many times as many threads after a step up."""
GAIN = 1.15
"""A step up is kept if it raises the throughput by this factor."""
WINDOW_NS = 20_000_000
"""Throughput is compared over at least so long."""
USED = 0.5
"""More threads may help if at least so many of those that are there have a call."""
FULL = 0.9
"""Threads that use this part of a core or more may be held back by the GIL."""
OWN_NS = 40_000
"""What a call costs beside itself: it is submitted, a thread takes it, its result is read."""
ROOM = 1.0 if getattr(sys, "_is_gil_enabled", lambda: True)() else float(available_cores())
"""So many threads can run Python at a time."""
SLACK = 1.5
"""So many times more threads are of use than would fill that if none ever had to wait for its turn."""
THREAD_NS = 120_000
"""What it costs to start a thread."""
AT_HAND_NS = 50_000
"""What it costs to have a thread that is there begin, and leave."""


class _Reached(NamedTuple):
    """What the last climb for a function came to."""

    workers: int
    rate: float
    call_ns: float
    over: bool
    """More did not help."""
    useful: int = MOST
    """More would wait for one another."""
    tried_ns: float = 0.0
    """More were tried, and not looked at before the calls came to an end: so much of them was left."""
    calls: int = 0
    """So many calls there were in all; 0 is not known."""


_reached: weakref.WeakKeyDictionary[Any, _Reached] = weakref.WeakKeyDictionary()


class Before(NamedTuple):
    """What is known of a function from the last climb for it."""

    call_ns: float
    """How long a call took."""
    calls: int
    """How many there were in all; 0 is not known."""


def before(fn: Callable[..., Any]) -> Before | None:
    """What is known of a function; None if there was no climb for it: then it is not known to wait."""
    known = _reached.get(same_work(fn))
    return None if known is None else Before(known.call_ns, known.calls)


def ended(fn: Callable[..., Any], calls: int) -> None:
    """The calls of a function, so many in all, have come to an end."""
    known = _reached.get(same_work(fn))
    if known is not None:
        _reached[same_work(fn)] = known._replace(calls=calls)


def forget(fn: Callable[..., Any]) -> None:
    """A function does not wait any more."""
    _reached.pop(same_work(fn), None)


class Climb:
    """Finds the number of threads for one function, and begins where the last climb for it ended.

    Args:
        fn: The function.
        backend: The threads.
        fixed: The number that the user asked for, which is kept.
        call_ns: How long a call takes.
        left_ns: How long the calls that are left take together; infinite if that is not known, None if none has
            been measured and their number is not known, so that it begins with as many threads as the last one
            ended with.
        why: Gets the reason of each step.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        backend: Backend,
        fixed: int | None,
        call_ns: float,
        left_ns: float | None,
        why: Callable[[str], object],
    ) -> None:
        self._key = same_work(fn)
        self._backend = backend
        self._why = why
        self._climbing = fixed is None
        self._settled = False
        known = _reached.get(self._key)
        if known is not None and not known.call_ns / 2 < call_ns < known.call_ns * 2:
            known = None  # that was other work
        self._best = known or _Reached(0, 0.0, call_ns, over=False)
        workers = FIRST
        if known is not None:
            workers = known.workers
            if left_ns is not None and not known.over:
                most = max(workers, min(known.useful, STEP * workers))
                workers = max(min(most, _worth(left_ns, backend.at_hand)), FIRST)
                # If all calls take the same time, so many are done in as many rounds.
                if not math.isinf(left_ns):
                    calls = max(math.ceil(left_ns / call_ns), 1)
                    workers = max(math.ceil(calls / math.ceil(calls / workers)), FIRST)
            rate = f"{known.rate:.3g} calls/s"
            why(f"threads: calls waited the last time, {known.workers} gave {rate}: now {fixed or workers}")
        self._backend.resize(fixed or workers)

    def look(self, seen: Window, left_ns: float) -> bool:
        """Look at what calls took, and take a step if that is worth it.

        Returns:
            Whether the window is used up.
        """
        workers = self._backend.workers
        if (
            self._climbing and not self._settled
        ):  # until threads that have just been started have all had a call
            self._settled = seen.calls >= workers
            return self._settled
        if seen.calls < 2 * workers or seen.elapsed_ns < WINDOW_NS:
            return False
        if not self._climbing:
            return True
        if seen.run_ns < USED * workers * seen.elapsed_ns:
            return True  # there are not calls enough for more: the input is slow, or the reader
        rate, best = seen.rate, self._best
        useful = _useful(workers, seen)
        reached = _Reached(workers, rate, seen.call_ns, over=False, useful=useful, calls=best.calls)
        if seen.cores >= FULL or (best.workers < workers and rate <= GAIN * best.rate):
            self._climbing = False
            self._remember((best if best.workers else reached)._replace(over=True))
            if workers > best.workers > 0:
                self._why(f"threads: {workers} gave {rate:.3g} calls/s, back to {best.workers}")
                self._backend.resize(best.workers)
            return True
        tried_ns = best.tried_ns if workers == best.workers else 0.0
        self._remember(reached._replace(tried_ns=tried_ns))
        more = min(useful, STEP * workers, max(workers, _worth(left_ns, self._backend.at_hand)))
        if more >= 2 * workers and (left_ns > 2 * tried_ns or math.isinf(left_ns)):
            self._remember(reached._replace(tried_ns=left_ns))
            self._why(f"threads: {workers} gave {rate:.3g} calls/s, trying {more}")
            self._settled = False
            self._backend.resize(more)
        return True

    def _remember(self, reached: _Reached) -> None:
        self._best = reached
        _reached[self._key] = reached


def _useful(workers: int, seen: Window) -> int:
    """How many threads can do something, from how much of the time so many use."""
    used = seen.cores + OWN_NS * seen.rate / 1e9
    return min(MOST, int(SLACK * ROOM * workers / used)) if used else MOST


def _worth(left_ns: float, at_hand: int) -> int:
    """With how many threads the start of these and what is left of the calls take least time together.

    Args:
        left_ns: What is left.
        at_hand: So many threads are there.
    """
    if math.isinf(left_ns):
        return MOST
    of_those = int(math.sqrt(left_ns / AT_HAND_NS))
    return of_those if of_those <= at_hand else max(at_hand, int(math.sqrt(left_ns / THREAD_NS)))
