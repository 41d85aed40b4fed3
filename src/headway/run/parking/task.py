"""A wait of an asyncio task."""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop, get_running_loop
from collections.abc import Awaitable

from headway.run.parking.waiter import TIMED_OUT, Waiter

__all__ = ["TaskWaiter"]


class TaskWaiter(Waiter):
    """Parks in a future of the running loop. Cancelling the task ends the wait with CancelledError."""

    __slots__ = ("_future", "_loop")

    def __init__(self) -> None:
        super().__init__()
        self._loop = get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()

    def park(self, timeout_s: float | None) -> Awaitable[None]:
        """Wait until `wake`, or for so long; then the waiter is settled."""
        return self._future if timeout_s is None else self._park(timeout_s)

    async def _park(self, timeout_s: float) -> None:
        timer = self._loop.call_later(timeout_s, self._expire)
        try:
            await self._future
        finally:
            timer.cancel()

    def wake(self) -> bool:
        """Let the task go on; from any thread."""
        if _get_running_loop() is self._loop:
            self._resume()
            return True
        try:
            self._loop.call_soon_threadsafe(self._resume)
        except RuntimeError:  # the loop is closed
            return False
        return True

    def _resume(self) -> None:
        if not self._future.done():  # it was cancelled, and the task gives back what it got
            self._future.set_result(None)

    def _expire(self) -> None:
        if self.settle(TIMED_OUT, None):
            self._resume()
