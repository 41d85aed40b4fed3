"""The future of a call: that of concurrent.futures, which can also stop a call that runs."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import TypeVar, cast

__all__ = ["Future"]

T = TypeVar("T")

# The states of concurrent.futures._base, which are not public; the subclass may change them.
_PENDING, _RUNNING, _FINISHED = "PENDING", "RUNNING", "FINISHED"
_CANCELLED, _CANCELLED_AND_NOTIFIED = "CANCELLED", "CANCELLED_AND_NOTIFIED"
_OVER = frozenset({_CANCELLED, _CANCELLED_AND_NOTIFIED, _FINISHED})


class Future(concurrent.futures.Future[T]):
    """The outcome of a call, now or later.

    It works wherever a future of concurrent.futures does: `wait`, `as_completed`, `asyncio.wrap_future`.

    Args:
        stop: Stops the call if it runs and its backend can, and says whether it did.
        attend: Called by a thread that waits for the outcome, with the time that it has.
    """

    def __init__(
        self,
        stop: Callable[[Future[T]], bool] = lambda _: False,
        attend: Callable[[Future[T], float | None], None] = lambda _, __: None,
    ) -> None:
        super().__init__()
        self._stop = stop
        self._attend = attend

    def result(self, timeout: float | None = None) -> T:
        """Wait for what the call returns, as in concurrent.futures."""
        left_s = self._attended(timeout)
        if self._state == _FINISHED and self._exception is None:
            return cast(T, self._result)  # set before the state
        return super().result(left_s)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for what the call raises, as in concurrent.futures."""
        return super().exception(self._attended(timeout))

    def _attended(self, timeout_s: float | None) -> float | None:
        """Help to get the outcome; how much time is left."""
        # What waits for this one may not hold up who asks for the outcome.
        callbacks = self._done_callbacks  # type: ignore[attr-defined]
        if self._state != _RUNNING or callbacks or (timeout_s is not None and timeout_s <= 0):
            return timeout_s
        if timeout_s is None:
            self._attend(self, None)
            return None
        until_s = time.monotonic() + timeout_s
        self._attend(self, timeout_s)
        return max(0.0, until_s - time.monotonic())

    def cancel(self) -> bool:
        """Cancel the call, also one that runs if it can be stopped: in a worker process, or as a task.

        Returns:
            False if it has ended, or runs where it cannot be stopped, as on a thread.
        """
        return super().cancel() or self._stop(self)

    def _claim(self) -> bool:
        """Begin it, unless it was cancelled. Once more is no harm: a signal may come before the answer is heard."""
        with self._condition:
            if self._state == _PENDING:
                self._state = _RUNNING
            if self._state != _CANCELLED:
                return self._state == _RUNNING
        return self.set_running_or_notify_cancel()

    def _waits(self) -> bool:
        """Whether its call runs; a glance, without the lock."""
        return self._state == _RUNNING

    def _stopped(self) -> None:
        """Mark a running call as cancelled, and tell all who wait."""
        with self._condition:
            if self._state != _RUNNING:
                return
            self._state = _CANCELLED
            self._condition.notify_all()
        self.set_running_or_notify_cancel()  # tells `wait` and `as_completed`
        self._invoke_callbacks()  # type: ignore[attr-defined]

    def _settle(self, value: T, error: BaseException | None) -> None:
        """Set the outcome; too late for one that was cancelled meanwhile."""
        if isinstance(error, CancelledError):
            self._stopped()
            return
        # As `set_result` and `set_exception`, which take longer.
        with self._condition:
            if self._state in _OVER:
                return
            self._result, self._exception = value, error
            self._state = _FINISHED
            for waiter in self._waiters:
                (waiter.add_result if error is None else waiter.add_exception)(self)
            self._condition.notify_all()
        self._invoke_callbacks()  # type: ignore[attr-defined]
