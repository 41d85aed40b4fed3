"""A wait of a gevent greenlet."""

from __future__ import annotations

from typing import Any

from gevent import getcurrent
from gevent._hub_local import get_hub_if_exists

from headway.errors import UsageError
from headway.run.parking.waiter import TIMED_OUT, BlockingWaiter

__all__ = ["GreenletWaiter"]


class GreenletWaiter(BlockingWaiter):
    """Switches to the hub of its thread, which switches back. Killing the greenlet ends the wait."""

    __slots__ = ("_greenlet", "_hub", "_parked")

    def __init__(self, hub: Any) -> None:
        super().__init__()
        self._hub = hub
        self._greenlet = getcurrent()
        self._parked = False
        if self._greenlet is hub:
            raise UsageError(
                "this would block gevent's hub, on which all greenlets of the thread depend",
                hint="start a greenlet for it with gevent.spawn()",
            )

    def park(self, timeout_s: float | None) -> None:
        """Wait; other greenlets of the thread go on."""
        # Without a watcher gevent believes that nothing can wake the greenlet any more, but another thread may.
        loop = self._hub.loop
        watcher = loop.async_() if timeout_s is None else loop.timer(max(timeout_s, 0.0))
        try:
            if timeout_s is None:
                watcher.start(lambda: None)
            else:
                watcher.start(self._resume, update=True)
            self._parked = True
            self._hub.switch()
        finally:
            self._parked = False
            watcher.close()
        self.settle(TIMED_OUT, None)

    def wake(self) -> bool:
        """Let the greenlet go on; from any thread."""
        loop = self._hub.loop
        if loop is None:
            return False
        run = loop.run_callback if get_hub_if_exists() is self._hub else loop.run_callback_threadsafe
        try:
            run(self._resume)
        except Exception:  # the loop is destroyed, and its kinds of loop disagree on how to say so
            return False
        return True

    def _resume(self) -> None:
        # Subtle: runs in the hub, so never between the unit's own settling and its switch.
        if self._parked:
            self._parked = False
            self._greenlet.switch()
