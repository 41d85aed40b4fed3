"""The watch over workers: calls that run too long, and calls that wait behind a long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.errors import TimedOut
from headway.run.process.page import BEGUN, LIMIT, STARTED

if TYPE_CHECKING:
    from headway.run.process.handle import Handle
    from headway.run.process.pool import Pool

__all__ = ["Watch"]

LONG_NS = 10_000_000
"""A call that runs longer has what waits behind it given to others."""

MUCH_NS = 4 * LONG_NS
"""A worker that is expected to be busy for longer with calls it has not begun gives half of them away."""

NEVER_NS = 1 << 62

SETTLE_NS = 1_000_000
"""How long a limit stands before the worker's progress is believed: a store is seen within microseconds."""


class Watch:
    """Looks at the pages of busy workers. Used by the receiver's thread alone."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.again_ns = 0
        """When it looks again, CLOCK_MONOTONIC."""
        self._suspects: dict[Handle, tuple[int, int, int]] = {}

    def soon_ns(self, timeout_s: float | None) -> int:
        """How soon it has to look once a worker got a task with that time limit."""
        return LONG_NS if timeout_s is None else min(LONG_NS, int(timeout_s * 1e9))

    def look(self, now_ns: int) -> int:
        """Do what is due, and say when to look again."""
        pool = self._pool
        due: list[int] = []
        given = False
        with pool.lock:
            room = bool(pool.idle) or len(pool.handles) < pool.workers
            for handle in pool.handles:
                if not handle.flights:
                    continue
                if handle.limited_ns:
                    settled_ns = handle.limited_ns + SETTLE_NS
                    if now_ns < settled_ns:
                        due.append(settled_ns)
                    else:
                        given = self._give_away(handle) or given
                elif room and not pool.queue:
                    at_ns = self._suspect_long(handle, now_ns)
                    if at_ns is not None:
                        due.append(at_ns)
                at_ns = self._check_time(handle, now_ns)
                if at_ns is not None:
                    due.append(at_ns)
            # invariant: set under the lock, so that whoever gives a worker calls knows when we look.
            self.again_ns = min(due, default=NEVER_NS)
        if given:
            pool.share()
            return now_ns
        return self.again_ns

    # Calls that wait behind a long one

    def _suspect_long(self, handle: Handle, now_ns: int) -> int | None:
        """Set a limit if a call runs long while others wait behind it; when to look again."""
        begun = handle.begun
        last = handle.flights[-1].end - 1
        if begun >= last:
            return None
        first = max(begun + 1, handle.flights[0].first)
        if begun < handle.flights[0].first:
            # Subtle: what is being unpickled stays. Another worker would have to do the same, and if it kills
            # whoever unpickles it, moving it on would never end.
            first = handle.flights[0].end
            if first > last:
                return now_ns + LONG_NS
        if handle.seen[0] != begun:
            handle.seen = begun, now_ns
            # No call is long, but together they are: the others do half of them.
            each_ns = self._pool.pace.get(id(handle.flights[-1].task.batch.fn), 0.0)
            if (last - first) * each_ns > MUCH_NS:
                handle.limit(first + (last - first) // 2)
                return now_ns + SETTLE_NS
        if now_ns - handle.seen[1] < LONG_NS:
            return handle.seen[1] + LONG_NS
        handle.limit(first)
        return now_ns + SETTLE_NS

    def _give_away(self, handle: Handle) -> bool:
        """Take the calls that the limit kept a worker from; whether there are any."""
        pool = self._pool
        # Subtle: the worker may have begun one call beyond the limit before it saw it, but never two.
        start = max(handle.page[LIMIT], handle.begun + 1)
        tasks = []
        for flight in handle.flights:
            if flight.stopped:
                if flight.first <= handle.begun < flight.end:
                    handle.kill()
                continue
            kept = max(flight.first, min(flight.end, start))
            if kept < flight.end:
                tasks.append(flight.part(kept, flight.end))
                flight.end = kept
        workers = max(1, len(pool.idle))
        for task in reversed(tasks):
            size = -(-(task.stop - task.start) // workers)
            for first in reversed(range(task.start, task.stop, size)):
                pool.queue.appendleft(task.part(first, min(task.stop, first + size)))
        return bool(tasks)

    # Calls with a time limit

    def _check_time(self, handle: Handle, now_ns: int) -> int | None:
        """Kill a worker whose call has run too long; when to look again."""
        timed = [flight for flight in handle.flights if flight.task.batch.timeout_s is not None]
        if not timed:
            return None
        page = handle.page
        begun, started_ns = page[BEGUN], page[STARTED]
        soonest_ns = NEVER_NS
        for flight in timed:
            assert flight.task.batch.timeout_s is not None
            limit_ns = int(flight.task.batch.timeout_s * 1e9)
            if not (flight.first <= begun < flight.end and started_ns) or flight.stopped:
                soonest_ns = min(soonest_ns, now_ns + max(limit_ns, SETTLE_NS))
                continue
            if now_ns < started_ns + limit_ns:
                soonest_ns = min(soonest_ns, started_ns + limit_ns)
                continue
            # Subtle: looked at twice, so that two words read at different moments condemn no one.
            seen = self._suspects.get(handle)
            if seen is None or seen[:2] != (begun, started_ns):
                self._suspects[handle] = begun, started_ns, now_ns
                soonest_ns = min(soonest_ns, now_ns + SETTLE_NS)
            elif now_ns - seen[2] < SETTLE_NS:
                soonest_ns = min(soonest_ns, seen[2] + SETTLE_NS)
            else:
                del self._suspects[handle]
                name = getattr(flight.task.batch.fn, "__qualname__", repr(flight.task.batch.fn))
                error = TimedOut(
                    f"{name} ran longer than {flight.task.batch.timeout_s:g} s in {handle.name}, "
                    "which was stopped",
                    hint="allow more with timeout_s",
                )
                handle.killed = begun, error
                handle.kill()
        return soonest_ns
