"""How many may do something at a time, and how often it may begin."""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from headway.errors import Cancelled, TimedOut, UsageError, WouldBlock
from headway.run.cancellation import CANCELLED
from headway.run.number import is_number, is_whole
from headway.run.parking import ABANDONED, Waiter, act_after, blocking_waiter, park, task_waiter
from headway.run.rate import Rate
from headway.run.rawlock import raw_lock
from headway.run.timeout import Timeout

__all__ = ["Limit"]

P = ParamSpec("P")
R = TypeVar("R")

# What a unit is that wants to come in: it may, it leads, or it stands in line. The first two are outcomes of waiters.
_GRANTED = "granted"
_LEADS = "leads"
_STANDS = "stands"


class Limit:
    """Lets at most so many units in at a time, and so many a second; first come, first served.

    Any number of threads, asyncio tasks (of several loops, in several threads) and gevent greenlets may use one
    limit at once.

    ```python
    limit = headway.Limit(10, per_s=100)    # as a server asks for: 10 connections, 100 requests a second

    with limit:                             # in a task: async with limit
        fetch(url)
    fetch_politely = limit.wrap(fetch)      # or as a decorator, of plain and coroutine functions
    ```

    It is not reentrant: a unit that is in and comes again counts twice, and may wait for itself.

    Args:
        concurrency: How many may be in at a time; None is without limit.
        per_s: How many may come in a second; None is without limit.
        burst: How many may come in at once after a pause, of which `per_s` keeps account; 1 if not given, and then
            they are spaced evenly. In any w seconds at most `burst + per_s * w` come in, and one more if one was late
            to wake up: its delay does not push those that follow.

    Raises:
        UsageError: Neither limit is given, or one cannot be kept.

    Runs on: threads, asyncio, greenlets; not across processes.
    Cost: O(1); a timeout or a cancellation is O(number of waiting units).
    Source: for the rate, the generic cell rate algorithm, see headway.run.rate.
    """

    # A unit that finds somebody before it, or nothing free, stands in line. The first one for whom something is free
    # gets it, and if the rate does not allow its start yet, it leads: it leaves the line, keeps what it got, and
    # sleeps until the rate does; meanwhile nobody else may come in.
    # invariant, whenever the lock is free: if a waiter in line is not settled, nothing is free, or somebody leads.
    __slots__ = ("__weakref__", "_concurrency", "_free", "_leading", "_line", "_lock", "_rate", "_since_ns")

    def __init__(
        self, concurrency: int | None = None, *, per_s: float | None = None, burst: int | None = None
    ) -> None:
        if concurrency is None and per_s is None:
            raise UsageError(
                "a limit of nothing", hint="headway.Limit(10), headway.Limit(per_s=100), or both"
            )
        if concurrency is not None and (not is_whole(concurrency) or concurrency < 1):
            raise UsageError(
                f"concurrency={concurrency!r} is not how many may be in",
                hint="it is a whole number from 1 on",
            )
        if per_s is not None and (not is_number(per_s) or not 0 < per_s < float("inf")):
            raise UsageError(f"per_s={per_s!r} is no rate", hint="it is more than 0; None is without limit")
        if burst is not None and (per_s is None or not is_whole(burst) or burst < 1):
            raise UsageError(
                f"burst={burst!r} with per_s={per_s!r}", hint="burst is 1 or more, and needs per_s"
            )
        self._lock = raw_lock()
        self._concurrency = concurrency
        self._free = concurrency
        self._rate = None if per_s is None else Rate(per_s, burst or 1)
        self._line: deque[Waiter] = deque()
        self._leading = False
        self._since_ns = 0
        """Since when the one who leads could have come in, but for the rate."""

    def acquire(self, *, timeout_s: float | None = None) -> None:
        """Come in, as soon as that is allowed. Each `acquire` needs its `release`.

        Raises:
            TimedOut: It was not allowed in time.
            UsageError: It would have to wait on the thread of a running event loop.
        """
        if self._enter() is _GRANTED:
            return
        timeout = Timeout(timeout_s)
        waiter = blocking_waiter("Limit.acquire", "async with limit:")
        state = self._enter(waiter)
        if state is _STANDS:
            try:
                park(waiter, timeout.left_s())
            except BaseException as error:
                self._abandon(waiter, error)
                raise
            state = self._decided(waiter, timeout_s)
        while state is _LEADS and (rate_s := self._lead(timeout, timeout_s)):
            try:
                sleeper = blocking_waiter("Limit.acquire", "async with limit:")
                source, _ = park(sleeper, rate_s)
            except BaseException as error:
                act_after(error, functools.partial(self._give_back, _LEADS))
                raise
            if source is CANCELLED:
                self._give_back(_LEADS)
                raise _cancelled()

    async def acquire_async(self, *, timeout_s: float | None = None) -> None:
        """As `acquire`, for asyncio. Does not yield to the event loop if it need not wait."""
        if self._enter() is _GRANTED:
            return
        timeout = Timeout(timeout_s)
        waiter = task_waiter()
        state = self._enter(waiter)
        if state is _STANDS:
            try:
                await waiter.park(timeout.left_s())
            except BaseException as error:
                self._abandon(waiter, error)
                raise
            state = self._decided(waiter, timeout_s)
        while state is _LEADS and (rate_s := self._lead(timeout, timeout_s)):
            try:
                await task_waiter().park(rate_s)
            except BaseException as error:
                act_after(error, functools.partial(self._give_back, _LEADS))
                raise

    def acquire_nowait(self) -> None:
        """Come in, if that is allowed now.

        Raises:
            WouldBlock: It is not.
        """
        if self._enter() is not _GRANTED:
            raise WouldBlock("the limit lets nobody in just now")

    def release(self) -> None:
        """Go out, and let the next one in.

        Raises:
            UsageError: Nobody is in.
        """
        if self._concurrency is None:
            return
        with self._lock:
            if self._free == self._concurrency:
                raise UsageError(
                    "a limit was released more often than acquired", hint="use it with `with limit:`"
                )
        self._give_back(_GRANTED)

    def wrap(self, fn: Callable[P, R]) -> Callable[P, R]:
        """Make a function that comes in, calls `fn`, and goes out; a coroutine function of a coroutine function.

        Raises:
            UsageError: It is a generator function, and would be out before its body ran.
        """
        import inspect

        if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
            raise UsageError(
                f"{fn!r} is a generator function: a limit around it would end before its body began",
                hint="write `with limit:` inside of it",
            )
        if inspect.iscoroutinefunction(fn):

            @functools.wraps(fn)
            async def limited_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                async with self:
                    return await fn(*args, **kwargs)

            return cast(Callable[P, R], limited_async)

        @functools.wraps(fn)
        def limited(*args: P.args, **kwargs: P.kwargs) -> R:
            with self:
                return fn(*args, **kwargs)

        return limited

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    async def __aenter__(self) -> Self:
        await self.acquire_async()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        told = []
        if self._concurrency is not None and self._free is not None:
            told.append(f"{self._concurrency - self._free}/{self._concurrency} in")
        if self._rate is not None:
            told.append(f"{self._rate.per_s:g} per s")
        return f"<Limit {', '.join(told)} at {id(self):#x}>"

    def _enter(self, waiter: Waiter | None = None) -> str:
        """Come in if that is allowed now; if not, let the waiter stand in line, or lead."""
        with self._lock:
            if self._line or self._leading or self._free == 0:
                if waiter is not None:
                    self._line.append(waiter)
                return _STANDS
            if self._rate is not None:
                now_ns = time.monotonic_ns()
                if self._rate.wait_ns(now_ns):
                    if waiter is not None:
                        self._take(_LEADS, now_ns)
                    return _LEADS
                self._rate.take(now_ns, now_ns)
            self._take(_GRANTED, 0)
            return _GRANTED

    def _lead(self, timeout: Timeout, timeout_s: float | None) -> float:
        """Come in if the rate allows it now.

        Returns:
            0 if so; else how long to sleep, in seconds.
        """
        assert self._rate is not None
        woken: list[Waiter] = []
        with self._lock:
            now_ns = time.monotonic_ns()
            wait_ns = self._rate.wait_ns(now_ns)
            if not wait_ns:
                self._rate.take(now_ns, self._since_ns)
                self._leading = False
                woken = self._advance()
        self._wake(woken)
        if not wait_ns:
            return 0.0
        left_s = timeout.left_s()
        if left_s == 0:
            self._give_back(_LEADS)
            raise _timed_out(timeout_s)
        rate_s = wait_ns / 1e9
        return rate_s if left_s is None else min(rate_s, left_s)

    def _decided(self, waiter: Waiter, timeout_s: float | None) -> str:
        """Say what came of standing in line: granted or leads."""
        source, _ = waiter.outcome
        if source is _GRANTED or source is _LEADS:
            return source
        self._forget(waiter)
        raise _cancelled() if source is CANCELLED else _timed_out(timeout_s)

    def _abandon(self, waiter: Waiter, error: BaseException) -> None:
        """Leave the line because of an exception, and give back what was granted already."""
        if waiter.settle(ABANDONED, None):
            self._forget(waiter)
        elif waiter.give_back():  # who granted it may have noticed that it is gone
            act_after(error, functools.partial(self._give_back, waiter.outcome[0]))

    def _forget(self, waiter: Waiter) -> None:
        with self._lock, suppress(ValueError):
            self._line.remove(waiter)

    def _take(self, state: str, now_ns: int) -> None:
        """Use what is free; needs the lock."""
        if self._free is not None:
            self._free -= 1
        if state is _LEADS:
            self._leading = True
            self._since_ns = now_ns

    def _give_back(self, state: object) -> None:
        """Let others have what was granted to one who is out, or does not want it."""
        if state is not _GRANTED and state is not _LEADS:
            return
        with self._lock:
            if self._free is not None:
                self._free += 1
            if state is _LEADS:
                self._leading = False
            woken = self._advance()
        self._wake(woken)

    def _advance(self) -> list[Waiter]:
        """Settle those in line who may come in or lead; needs the lock."""
        woken = []
        while self._line and not self._leading and self._free != 0:
            now_ns = time.monotonic_ns()
            state = _LEADS if self._rate is not None and self._rate.wait_ns(now_ns) else _GRANTED
            # Subtle: settled before it leaves the line, so that an interrupt between the two loses nobody.
            waiter = self._line[0]
            mine = waiter.settle(state, None)
            del self._line[0]
            if mine:
                self._take(state, now_ns)
                if self._rate is not None and state is _GRANTED:
                    self._rate.take(now_ns, now_ns)
                woken.append(waiter)
        return woken

    def _wake(self, waiters: list[Waiter]) -> None:
        for waiter in waiters:
            if not waiter.wake() and waiter.give_back():  # its event loop is closed
                self._give_back(waiter.outcome[0])


def _timed_out(timeout_s: float | None) -> TimedOut:
    return TimedOut(f"the limit did not let this in within {timeout_s} s")


def _cancelled() -> Cancelled:
    return Cancelled("the scope was cancelled while this waited for a limit")
