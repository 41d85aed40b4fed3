"""How a call learns that nobody wants its result any more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Protocol

from headway.run.rawlock import raw_lock

__all__ = ["CANCELLED", "CURRENT", "CancelToken", "Stoppable", "Wake", "cancelled"]

CANCELLED = "cancelled"
"""The source of the outcome of a waiter whose token was cancelled."""


class Stoppable(Protocol):
    """What a token can end: a waiter."""

    def settle(self, source: object, value: object, /) -> bool:
        """Decide the wait, unless it is decided."""

    def wake(self) -> bool:
        """Let the unit go on."""


class CancelToken:
    """Whether something is cancelled, and who waits on its behalf. It is cancelled with its parent.

    Args:
        parent: None for a token of its own.
        on_cancel: Called once, from whatever thread cancels; must neither block nor raise.
    """

    __slots__ = ("__weakref__", "_children", "_lock", "_on_cancel", "_parent", "_waiters", "cancelled")

    def __init__(
        self, parent: CancelToken | None = None, on_cancel: Callable[[], object] = lambda: None
    ) -> None:
        self.cancelled = False
        self._lock = raw_lock()
        self._parent = parent
        self._on_cancel = on_cancel
        self._waiters: set[Stoppable] = set()
        self._children: set[CancelToken] = set()
        if parent is not None and not parent._adopt(self):
            self.cancel()

    def cancel(self) -> None:
        """Ask everything to stop: what waits in a channel, a limit or a scope raises Cancelled there."""
        with self._lock:
            if self.cancelled:
                return
            self.cancelled = True
            waiters, self._waiters = self._waiters, set()
            children, self._children = self._children, set()
        for waiter in waiters:
            if waiter.settle(CANCELLED, self):
                waiter.wake()
        for child in children:
            child.cancel()
        self._on_cancel()

    def detach(self) -> None:
        """Outlive the parent's interest: it no longer cancels this token."""
        parent, self._parent = self._parent, None
        if parent is not None:
            with parent._lock:
                parent._children.discard(self)

    def enter(self, waiter: Stoppable) -> None:
        """Let `cancel` end this wait, too; at once if it has been called."""
        with self._lock:
            if not self.cancelled:
                self._waiters.add(waiter)
                return
        if waiter.settle(CANCELLED, self):
            waiter.wake()

    def leave(self, waiter: Stoppable) -> None:
        """The wait is over."""
        with self._lock:
            self._waiters.discard(waiter)

    def _adopt(self, child: CancelToken) -> bool:
        with self._lock:
            if not self.cancelled:
                self._children.add(child)
            return not self.cancelled


class Wake:
    """Wakes a unit that waits in something which knows no tokens. It then looks at its token, and at what came.

    Args:
        wake: Called from whatever thread cancels; must neither block nor raise.
    """

    __slots__ = ("_wake",)

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake

    def settle(self, source: object, value: object, /) -> bool:
        """The token decides nothing else."""
        return True

    def wake(self) -> bool:
        """Let the unit go on."""
        self._wake()
        return True

    @contextlib.contextmanager
    def by(self, token: CancelToken | None) -> Iterator[None]:
        """While in it, have a token wake the unit."""
        if token is None:
            yield
            return
        token.enter(self)
        try:
            yield
        finally:
            token.leave(self)


CURRENT: ContextVar[CancelToken | None] = ContextVar("headway cancel token", default=None)
"""The token of the innermost scope whose body or call this is."""


def cancelled() -> bool:
    """Whether the scope that started this call has been cancelled: a call that runs long should look, and return.

    Also true in the scope's own body. Always False outside of scopes, and in worker processes, which are
    stopped instead.
    """
    token = CURRENT.get()
    return token is not None and token.cancelled
