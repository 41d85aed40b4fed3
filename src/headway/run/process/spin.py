"""A short look before a long wait: what comes within microseconds is taken without going to sleep.

A process that sleeps must be woken, and its core, too, which on a virtual machine may take longer than a short call.
So who expects something at once looks for it again and again; but only after a wait that was short, for no longer than
`SPIN_NS`, and not where others want the core or the GIL, which shows in one look that takes long. (Competitive
spinning: Karlin, Li, Manasse and Owicki, SOSP 1991; differs: it is given up at once where it may harm.)
"""

from __future__ import annotations

import _socket
import time

TYPE_CHECKING = False  # of `typing`, which would cost every worker some milliseconds
if TYPE_CHECKING:
    from headway.run.process.wire import Inbox

__all__ = ["NOW", "Spin"]

SPIN_NS = 100_000
"""So long is looked at most."""

EXPECTED_NS = 200_000
"""Only after a wait that was shorter; going to sleep and waking up are in it."""

CROWDED_NS = 20_000
"""One look takes a microsecond or two. If it takes so long somebody else wanted the core, or the GIL."""

REST = 64
"""At most so many waits are spent asleep after a look in vain: four times as many as the last time, and half as many
after a look that was not. So it looks where two of three are not in vain; one in vain costs twice what others win.
"""

NOW = _socket.MSG_CMSG_CLOEXEC | _socket.MSG_DONTWAIT
"""For `Inbox.fill`: do not wait."""


class Spin:
    """Whether the next wait is expected to be short, from those before."""

    __slots__ = ("_pause", "_rest", "_waited_ns", "vain")

    def __init__(self) -> None:
        self.vain = False
        """Whether nothing had come when it looked last; False while that is not certain."""
        self._waited_ns = EXPECTED_NS
        self._rest = 0
        self._pause = 1

    def pays(self) -> bool:
        """Whether it does; to be asked once before each wait."""
        if self._rest:
            self._rest -= 1
            return False
        return self._waited_ns < EXPECTED_NS

    def look(self, inbox: Inbox, began_ns: int, *, once: bool = False) -> bool | None:
        """Receive once, as `Inbox.fill` does, if that is possible soon; None if nothing came.

        Args:
            inbox: From where.
            began_ns: When the wait began.
            once: Look once.
        """
        fill, clock, at_ns, end_ns = inbox.fill, time.monotonic_ns, began_ns, began_ns + SPIN_NS
        while True:
            try:
                self.vain = False
                came = fill(NOW)
            except BlockingIOError:
                self.vain = True
                if once:
                    return None
                now_ns = clock()
                if now_ns > end_ns or now_ns - at_ns > CROWDED_NS:
                    self._rest = self._pause
                    self._pause = min(4 * self._pause, REST)
                    return None
                at_ns = now_ns
            else:
                if self._pause > 1 and not once:
                    self._pause //= 2
                return came

    def waited(self, began_ns: int) -> None:
        """It has come."""
        self._waited_ns = time.monotonic_ns() - began_ns
