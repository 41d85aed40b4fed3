"""One wait of one unit: decided once, and woken for it once."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

__all__ = ["ABANDONED", "TIMED_OUT", "BlockingWaiter", "Waiter", "act_after"]

TIMED_OUT = "timed out"
ABANDONED = "abandoned"
"""Sources of outcomes that the waiting unit decides itself: its time is up, or an exception takes it away."""


class Waiter:
    """One wait. It may stand in several lines at once; who settles it first decides.

    The protocol, in this order:

    1. The unit makes the waiter and enters it where it may be served.
    2. It parks. That ends when somebody wakes it, when its time is up, or with an exception (an asyncio
       cancellation, a greenlet's kill, KeyboardInterrupt).
    3. Who wants to serve it calls `settle`, and only if that is True, `wake`, once, holding no lock.
       If that says that the unit is gone, what it was served with goes back, unless `give_back` is False.
    4. If the unit's time is up or it is thrown out, it calls `settle` itself. If that is False it has been served
       all the same, and must take what it got, or give it back, unless `give_back` is False.
    5. The unit takes the waiter out of all lines.
    """

    __slots__ = ("_given_back", "_outcome", "item")

    def __init__(self) -> None:
        self._outcome: dict[str, tuple[object, Any]] = {}
        self._given_back: dict[str, object] = {}
        self.item: Any = None
        """Belongs to the line that the waiter stands in."""

    def settle(self, source: object, value: object, /) -> bool:
        """Decide what comes of the wait, unless that is decided. From any thread, under any lock.

        Returns:
            Whether this call decided it.
        """
        # Subtle: setdefault is one step for all threads, and the tuple is new, so no two calls can both find theirs.
        outcome = (source, value)
        return self._outcome.setdefault("", outcome) is outcome

    def give_back(self) -> bool:
        """Ask to give back what it was served with, since it will not take it.

        Returns:
            True once: to the server that could not wake it, or to the unit that was thrown out.
        """
        mine = object()
        return self._given_back.setdefault("", mine) is mine

    @property
    def outcome(self) -> tuple[object, Any]:
        """The source and the value that it was settled with."""
        return self._outcome[""]

    @abstractmethod
    def wake(self) -> bool:
        """Let the unit go on, after it was settled; from any thread.

        Returns:
            False if the unit is gone for good, since its event loop or hub is closed.
        """


class BlockingWaiter(Waiter):
    """A waiter that stops its unit in a plain call."""

    __slots__ = ()

    @abstractmethod
    def park(self, timeout_s: float | None) -> None:
        """Wait until `wake`, or for so long; then the waiter is settled."""


def act_after(error: BaseException, act: Callable[[], object]) -> None:
    """Do what needs a lock, after an exception threw a unit out of its wait.

    GeneratorExit may come from the garbage collector, in the middle of anything, also of a call of this thread
    that holds that lock: then it is done in a thread of its own.
    """
    if isinstance(error, GeneratorExit):
        threading.Thread(target=act, name="headway-give-back", daemon=True).start()
    else:
        act()
