"""A wait of a whole thread."""

from __future__ import annotations

import threading

from headway.run.parking.waiter import TIMED_OUT, BlockingWaiter
from headway.run.rawlock import raw_lock

__all__ = ["ThreadWaiter"]


class ThreadWaiter(BlockingWaiter):
    """Parks in a lock that is held from the beginning; waking it means to release that lock."""

    __slots__ = ("_gate",)

    def __init__(self) -> None:
        super().__init__()
        self._gate = raw_lock()
        self._gate.acquire()

    def park(self, timeout_s: float | None) -> None:
        """Wait; a signal handler that raises ends it."""
        limit_s = -1.0 if timeout_s is None else min(max(timeout_s, 0.0), threading.TIMEOUT_MAX)
        if not self._gate.acquire(True, limit_s):
            self.settle(TIMED_OUT, None)

    def wake(self) -> bool:
        """Let the thread go on."""
        self._gate.release()
        return True
