"""`on="auto"`: which backend, by measuring the calls themselves.

Every call that is measured is a real one. The states, and what leads from one to the next:

```
          busy, and more than a moment is left
 measure ────────────────────────────────────► probe ── threads' CPU adds up ──► threads
 (serial)                                        │ stuck at one core: the GIL
    │ mostly waits                               ▼
    └───────────► waiting (threads, more     may it leave this process, and is it worth it?
                  as long as that helps)       │ yes                 │ no
                                               ▼                     ▼
                                             starting ──────────► serial, or processes when they are up
```

A function that waited in the map before begins with waiting; one for which the GIL was in the way is not probed again
while its calls use as much of a core as they did. In every state the last calls are looked at again: when
the work changes, so does the backend. A function that turns out
to return coroutines goes to an event loop, from whatever state. A reader that is a task
of an event loop, and an executor, have no thread to spend: there, measuring begins with the probe.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Any

from headway.errors import CannotSend
from headway.run.backends.contract import Backend
from headway.run.batch import Batch, Portion
from headway.run.choice import AHEAD
from headway.run.climb import FULL, Climb, before, ended, forget
from headway.run.cores import available_cores, stood_ns, times_waited
from headway.run.coroutines import Awaiting, begun_in
from headway.run.identity import name_of
from headway.run.measured import Window, time_of
from headway.run.opened import Opened
from headway.run.stuck import Stuck, found_stuck, no_longer_stuck, stuck_before
from headway.run.worth import not_worth

__all__ = ["Auto"]

MOMENT_NS = 2_000_000
"""What is shorter than this in all is not worth moving."""
WAITS = 0.5
"""Calls that use less of a core than this mostly wait."""
MANY = 10
"""So many calls in one measurement are short ones."""
DOUBTS = 3
"""So many measurements in a row that show short calls to wait are not yet believed."""
TINY_NS = 3_000
"""Calls shorter than this cost about as much to send as to run."""
PROBE_NS = 8_000_000
"""A probe lasts at least so long."""
AHEAD_PROBED = 2
"""Batches for each worker while it is not clear that they stay there: those that were given out run where they are."""
AT_ONCE = 0.5
"""Of each further core, calls must take this part for threads to show anything of the GIL."""
AGAIN_NS = 500_000_000
"""The work is measured again at most so often."""
STUCK = 0.8
"""Threads with the GIL in the way use this part of a core together, or more, unless others have the cores."""
IDLE = 0.5
"""Threads that together use less of a core than this do not even fight for the GIL: they wait."""
SCALES = 0.4
"""Of each further core, threads must use this part to be kept for busy calls."""
LOOK_NS = 100_000_000
"""Whether the work has changed is looked at so often."""


class Auto:
    """Chooses the backend for one function.

    Args:
        fn: The function.
        opened: Where backends come from.
        inline: Whether calls may run in the thread that submits them.
        stops: Whether calls must be stoppable, since they have a time limit: then it is processes.
        length: How many calls there will be, if that is known.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        opened: Opened,
        *,
        inline: bool,
        stops: bool = False,
        length: int | None = None,
    ) -> None:
        self._fn = fn
        self._opened = opened
        self._inline = inline
        self._must_stop = stops
        self._measured_ns = time.monotonic_ns()
        self._cores = available_cores()
        self._why: list[str] = []
        self._stays: str | None = None
        self._awaits = False
        self._serial_ns = math.inf  # what a call took when nothing ran beside it
        self._cpu_call_ns = 0.0  # what a call used of a core when it was last found to be busy
        self._first_cpu_ns = 0.0  # what a call used of it when nothing ran beside it
        self._climb: Climb | None = None
        self._before_ns = 0.0  # how long a call took in the map before, until one of this map was seen
        self._expected = 0  # so many calls that map had
        self._done = 0
        self._doubts = 0
        self._sure = (
            False  # what was found first was measured again: it may have been what only the first call did
        )
        self._sample: Portion | None = None
        self._window = Window()
        self._stood_ns = stood_ns()
        self._waited = times_waited()
        self._state: Callable[[Portion, float], None]
        if stops:
            self._go("processes", "timeout_s needs workers that can be stopped", self._in_processes)
        elif inline and (known := before(fn)) is not None:
            self._measured_ns = 0  # nothing has been: if it waits no more, that is found at once
            self._before_ns, self._expected = known.call_ns, known.calls
            expected = known.calls or None if length is None else length
            self._climb_on(known.call_ns, None if expected is None else expected * known.call_ns)
        elif inline:
            self._go("serial", None, self._measure)
        else:
            self._go("threads", None, self._probe)

    backend: Backend
    ahead: int

    def why(self) -> list[str]:
        """The reasons for each choice, in order."""
        return list(self._why)

    def expect_no_more(self) -> None:
        """Tell the backend; a loan does not pass it on."""
        self.backend.expect_no_more()

    def close(self, *, wait: bool, abort: bool) -> None:
        """Close all backends that were tried."""
        if self._climb is not None and self._done:
            ended(self._fn, self._done)
        self._opened.close(wait=wait, abort=abort)

    def begun(self, portion: Portion) -> list[int]:
        """The places of values that are coroutines. Once there is one, all further calls may give some."""
        places = begun_in(portion)
        if places and not self._awaits:
            self._awaits = True
            self._go("asyncio", f"{name_of(self._fn)} returned a coroutine", lambda portion, left_ns: None)
        return places

    def form(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """The function, or what awaits the coroutines that it returns."""
        return Awaiting(fn) if self._awaits else fn

    def rescue(self, error: BaseException) -> bool:
        """Whether a call that failed is to run again: it was never begun, since it could not be sent."""
        if self._must_stop or not isinstance(error, CannotSend) or error.path.startswith("result"):
            return False
        if not self.backend.local:
            self._stays = error.message
            self._go("threads", f"stays in this process: {error.message}", self._threads)
        return True

    def learn(self, portion: Portion, remaining: int | None) -> None:
        """Take in what calls took, and think again."""
        self._sample = portion
        self._done += len(portion.values)
        seen = self._window
        if seen.add(portion):
            if remaining is None and self._done < self._expected:
                remaining = self._expected - self._done  # as far as one knows
            self._state(
                portion, math.inf if remaining is None else remaining * seen.run_ns / (seen.calls or 1)
            )

    def _go(self, name: str, why: str | None, state: Callable[[Portion, float], None]) -> None:
        self.backend = self._opened.get(name)
        self.ahead = AHEAD_PROBED if state == self._probe else AHEAD
        self._state = state
        self._window = Window()
        if why is not None:
            self._why.append(f"{name}: {why}")

    def _again(self, why: str) -> bool:
        """Measure anew, since something is not as it was; but not all the time."""
        now_ns = time.monotonic_ns()
        if now_ns - self._measured_ns < AGAIN_NS:
            return False
        self._measured_ns = now_ns
        no_longer_stuck(self._fn)
        self._measure_again(why)
        return True

    def _measure_again(self, why: str) -> None:
        self._why.append(f"measured again: {why}")
        self._serial_ns = math.inf
        if self._inline:
            self._stood_ns = stood_ns()
            self._waited = times_waited()
            self._go("serial", None, self._measure)
        else:
            self._begin_probe()

    # Each state is told of a portion of its own window, and how many ns of calls are left.

    def _measure(self, portion: Portion, left_ns: float) -> None:
        seen = self._window
        if seen.run_ns < MOMENT_NS / 4 and left_ns > MOMENT_NS:
            return
        # On a busy machine a call also stands in line for a core, which is neither computing nor waiting.
        before_ns, self._stood_ns = self._stood_ns, stood_ns()
        between_ns = max(seen.elapsed_ns - seen.run_ns, 0)
        in_calls_ns = max(self._stood_ns - before_ns - between_ns, 0)
        busy = min(1.0, seen.cpu_ns / max(seen.run_ns - in_calls_ns, 1))
        before, self._waited = self._waited, times_waited()
        never = self._waited == before and busy < WAITS  # the host may have given the core to another machine
        if self._serial_ns == math.inf:
            how = f"{busy:.0%} busy, but never waited" if never else f"{busy:.0%} busy"
            self._why.append(f"measured {seen.calls} calls: {time_of(seen.call_ns)} each, {how}")
        busy = 1.0 if never else busy
        short = seen.calls >= MANY or self._serial_ns < TINY_NS
        self._serial_ns = seen.call_ns
        if left_ns < MOMENT_NS:
            return
        if busy >= WAITS:
            self._doubts = 0
        if busy < WAITS and self._doubts < (DOUBTS if short else self._sure):
            # A machine that stood still for some milliseconds makes short calls look as if they waited; and others are
            # looked at twice when they were busy at first.
            self._doubts += 1
            self._window = Window()
        elif busy < WAITS and seen.call_ns > TINY_NS:
            self._wait(f"calls wait {1 - busy:.0%} of their time", left_ns)
        elif seen.cpu_call_ns > TINY_NS and self._cores > 1 and self._opened.workers != 1:
            self._first_cpu_ns = seen.cpu_call_ns
            known = stuck_before(self._fn, seen.cpu_call_ns)
            if known is None:
                self._begin_probe()
            else:
                self._leave(known, f"the last time {_found(known)}", left_ns)
        else:
            self._window = Window()

    def _begin_probe(self) -> None:
        self._go("threads", None, self._probe)
        self.backend.resize(min(self._opened.workers or self._cores, self._cores))

    def _probe(self, portion: Portion, left_ns: float) -> None:
        seen, workers = self._window, self.backend.workers
        if seen.portions < 2 * workers or seen.span_ns < PROBE_NS:
            return
        further = min(workers, self._cores) - 1
        if seen.run_ns < (1 + AT_ONCE * further) * seen.span_ns:
            # A few long calls that still run may be missing; many calls have come one by one, and show nothing.
            if seen.elapsed_ns > LOOK_NS and seen.portions > 8 * workers:
                self._window = Window()
            return
        cores = seen.cpu_ns / seen.span_ns
        if seen.busy < WAITS and cores < IDLE and self._serial_ns == math.inf:
            self._wait(f"calls wait {1 - seen.busy:.0%} of their time", left_ns)
        elif cores > 1 + SCALES * further:
            no_longer_stuck(self._fn)
            self._go("threads", f"{workers} threads used {cores:.2f} cores: no GIL in the way", self._threads)
        elif cores < STUCK and not self._sure and self._inline:
            self._sure = True
            self._measure_again(f"{workers} threads used {cores:.2f} cores, and waited")
        else:
            stuck = Stuck(workers, cores, seen.cpu_call_ns, self._first_cpu_ns)
            found_stuck(self._fn, stuck)
            self._leave(stuck, _found(stuck), left_ns)

    def _fell(self, seen: Window) -> bool:
        """Whether calls that were busy mostly wait now; to run slowly on a busy machine is no waiting."""
        return seen.busy < WAITS and seen.cpu_call_ns < self._cpu_call_ns / 2

    def _leave(self, found: Stuck, stuck: str, left_ns: float) -> None:
        self._cpu_call_ns = found.cpu_call_ns
        from headway.run.effects import effect  # seldom needed, and slow to import

        self._stays = self._stays or effect(self._fn)
        if self._stays is None:
            call_ns = min(self._serial_ns, self._window.call_ns)
            self._stays = not_worth(
                self._sample, call_ns, left_ns, self._cores, self._opened.there("processes")
            )
        if self._stays is not None:
            self._stay(f"{stuck}; stays in this process: {self._stays}")
            return
        self._why.append(f"processes: {stuck}")
        self._start()

    def _stay(self, why: str) -> None:
        # With the GIL in the way one thread is as good as many, and the caller's own is the nearest.
        here = "serial" if self._serial_ns < math.inf else "threads"
        self._go(here, why, self._keep_on)

    def _keep_on(self, portion: Portion, left_ns: float) -> None:
        seen = self._window
        if seen.elapsed_ns > 10 * LOOK_NS:
            if self._fell(seen) and seen.call_ns > TINY_NS:
                self._again(f"calls now use {seen.busy:.0%} of a core")
            else:
                self._window = Window()

    def _start(self) -> None:
        """Start the processes, and work on here until they are up.

        Those that were there before are so at once. To work on here would only keep the GIL from the thread that hears
        of them.
        """
        processes = self._opened.get("processes")
        up: list[Portion] = []
        for _ in range(processes.workers):
            processes.submit(Batch(os.getpid, [()], up.append, star=True))
        if processes.at_hand:
            self._go("processes", None, self._in_processes)
            return
        if self._serial_ns < math.inf:
            self.backend = self._opened.get("serial")
        self._window = Window()

        def starting(portion: Portion, left_ns: float) -> None:
            if up:
                self._go("processes", None, self._in_processes)

        self._state = starting

    def _in_processes(self, portion: Portion, left_ns: float) -> None:
        seen = self._window
        if seen.elapsed_ns < LOOK_NS or seen.portions < 4 * self.backend.workers:
            return
        if self._fell(seen) and not self._must_stop:
            self._again(f"calls now use {seen.busy:.0%} of a core")
        else:
            self._window = Window()

    def _threads(self, portion: Portion, left_ns: float) -> None:
        seen = self._window
        if seen.elapsed_ns < 2 * LOOK_NS or seen.portions < 4 * self.backend.workers:
            return
        if self._stays is None and seen.cores < 1 + SCALES / 2 * (self.backend.workers - 1):
            self._again(f"threads now use {seen.cores:.2f} cores")
        else:
            self._window = Window()

    def _wait(self, why: str, left_ns: float) -> None:
        self._why.append(f"threads: {why}")
        self._climb_on(self._window.call_ns, left_ns)

    def _climb_on(self, call_ns: float, left_ns: float | None) -> None:
        self._go("threads", None, self._waiting)
        self._climb = Climb(self._fn, self.backend, self._opened.workers, call_ns, left_ns, self._why.append)

    def _waiting(self, portion: Portion, left_ns: float) -> None:
        assert self._climb is not None
        seen = self._window
        if self._climb.look(seen, left_ns):
            self._window = Window()
            before_ns, self._before_ns = self._before_ns, 0.0
            if seen.call_ns < before_ns / 2:
                forget(self._fn)
                self._again(f"a call takes {time_of(seen.call_ns)}, and took {time_of(before_ns)} before")
            elif seen.cores > FULL:
                self._again(f"threads use {seen.cores:.2f} cores, though calls wait")


def _found(stuck: Stuck) -> str:
    return f"{stuck.threads} threads used {stuck.cores:.2f} cores: the GIL"
