"""The future of a call: that of concurrent.futures, which can also stop a call that runs."""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Callable
from concurrent.futures import CancelledError, InvalidStateError
from typing import TypeVar

__all__ = ["Future"]

T = TypeVar("T")

# The states of concurrent.futures._base, which are not public; the subclass may change them.
_RUNNING, _CANCELLED = "RUNNING", "CANCELLED"


class Future(concurrent.futures.Future[T]):
    """The outcome of a call, now or later.

    It works wherever a future of concurrent.futures does: `wait`, `as_completed`, `asyncio.wrap_future`.

    Args:
        stop: Stops the call if it runs and its backend can, and says whether it did.
    """

    def __init__(self, stop: Callable[[Future[T]], bool] = lambda _: False) -> None:
        super().__init__()
        self._stop = stop

    def cancel(self) -> bool:
        """Cancel the call, also one that runs if it can be stopped: in a worker process, or as a task.

        Returns:
            False if it has ended, or runs where it cannot be stopped, as on a thread.
        """
        return super().cancel() or self._stop(self)

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
        with contextlib.suppress(InvalidStateError):
            if error is None:
                self.set_result(value)
            else:
                self.set_exception(error)
