"""One call that a scope started, and its outcome."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

from headway.errors import Cancelled, TimedOut
from headway.run.cancellation import CANCELLED
from headway.run.parking import ABANDONED, TIMED_OUT, Waiter, blocking_waiter, park, task_waiter
from headway.run.rawlock import raw_lock

__all__ = ["Job"]

T = TypeVar("T")

_PENDING, _RUNNING, _DONE = "pending", "running", "done"
_ENDED = "ended"
"""The source of the outcome of a waiter whose job has ended."""


class Job(Generic[T]):
    """One call that a scope started. `result()` waits for it; in a task, `await` does.

    Args:
        name: Of the function, for messages.
    """

    __slots__ = ("__weakref__", "_error", "_lock", "_state", "_value", "_waiters", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = raw_lock()
        self._state = _PENDING
        self._value: Any = None
        self._error: BaseException | None = None
        self._waiters: list[Waiter] = []

    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._state is _DONE

    def cancelled(self) -> bool:
        """Whether it was cancelled: dropped before it began, or stopped."""
        return self._state is _DONE and isinstance(self._error, Cancelled)

    def result(self, *, timeout_s: float | None = None) -> T:
        """Wait for the call, and return what it returned or raise what it raised.

        Raises:
            Cancelled: It was cancelled; or the scope around this was, while this waited.
            TimedOut: It has not ended in time; it goes on.
            UsageError: It would have to wait on the thread of a running event loop.
        """
        self._wait(timeout_s)
        return self._outcome()

    def exception(self, *, timeout_s: float | None = None) -> BaseException | None:
        """Wait for the call, and return what it raised; None if it returned. Raises as `result` for the wait."""
        self._wait(timeout_s)
        return self._error

    def __await__(self) -> Generator[Any, None, T]:
        yield from self._ended().__await__()
        return self._outcome()

    def __repr__(self) -> str:
        how = "cancelled" if self.cancelled() else "failed" if self._error is not None else self._state
        return f"<Job {self.name} {how} at {id(self):#x}>"

    def _claim(self) -> bool:
        """Begin; False if it was dropped."""
        with self._lock:
            if self._state is not _PENDING:
                return False
            self._state = _RUNNING
            return True

    def _drop(self, error: BaseException) -> bool:
        """Cancel it if it has not begun; says whether that was so."""
        return self._set(None, error, (_PENDING,))

    def _end(self, value: T | None, error: BaseException | None) -> bool:
        """Set its outcome; False if it has one."""
        return self._set(value, error, (_PENDING, _RUNNING))

    def _wait_shielded(self) -> None:
        """Wait for its end, even in a scope that was cancelled."""
        waiter = blocking_waiter("leaving a scope", "async with headway.scope()")
        if self._enter(waiter):
            try:
                waiter.park(None)
            finally:
                self._leave(waiter)

    async def _ended(self) -> None:
        """Wait for its end, in a task."""
        waiter = task_waiter()
        if self._enter(waiter):
            try:
                await waiter.park(None)
            finally:
                self._leave(waiter)

    def _wait(self, timeout_s: float | None) -> None:
        if self.done():
            return
        waiter = blocking_waiter("Job.result", "await the job")
        if not self._enter(waiter):
            return
        try:
            source, _ = park(waiter, timeout_s)
        finally:
            self._leave(waiter)
        if source is TIMED_OUT:
            raise TimedOut(f"{self.name} has not ended within {timeout_s} s: it goes on")
        if source is CANCELLED:
            raise Cancelled(f"the scope was cancelled while this waited for {self.name}")

    def _outcome(self) -> T:
        if self._error is None:
            return cast(T, self._value)
        try:
            raise self._error
        finally:
            del self  # no cycle of the error, its traceback and this frame

    def _set(self, value: T | None, error: BaseException | None, states: tuple[str, ...]) -> bool:
        with self._lock:
            if self._state not in states:
                return False
            self._value, self._error, self._state = value, error, _DONE
            waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.settle(_ENDED, self):
                waiter.wake()
        return True

    def _enter(self, waiter: Waiter) -> bool:
        with self._lock:
            if self._state is not _DONE:
                self._waiters.append(waiter)
                return True
            return False

    def _leave(self, waiter: Waiter) -> None:
        waiter.settle(ABANDONED, None)
        with self._lock, suppress(ValueError):
            self._waiters.remove(waiter)
