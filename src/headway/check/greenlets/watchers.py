"""What gevent asks of its loop: callbacks that are ready, and timers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headway.check.asynchronous.units import TIMER, LoopUnit

if TYPE_CHECKING:
    from headway.check.greenlets.loop import GreenletLoop

__all__ = ["Callback", "Watcher"]


class Callback:
    """As gevent's: true until it has run, pending until it begins to."""

    __slots__ = ("_cancelled", "args", "by", "callback", "unit", "way")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.callback: Callable[..., object] | None = callback
        self.args: tuple[Any, ...] | None = args
        self.unit: LoopUnit
        self.way: int
        self.by: LoopUnit | None = None
        self._cancelled = False

    def stop(self) -> None:
        """It is not called."""
        self._cancelled = True
        self.callback = self.args = None

    close = stop

    def __bool__(self) -> bool:
        return self.args is not None

    @property
    def pending(self) -> bool:
        """It has not begun."""
        return self.callback is not None


class Watcher:
    """A timer, or what waits for the loop to have nothing to do."""

    def __init__(self, loop: GreenletLoop, after_s: float | None, repeat_s: float, *, ref: bool) -> None:
        self.loop = loop
        self.ref = ref
        self.priority = 0
        self.callback: Callable[..., object] | None = None
        self.args: tuple[Any, ...] | None = None
        self._after_s = after_s
        self._repeat_s = repeat_s
        self._due: Callback | None = None

    def start(self, callback: Callable[..., object], *args: Any, **_update: Any) -> None:
        """Begin to wait."""
        self.stop()
        self.callback, self.args = callback, args
        self._wait(self._after_s)

    def again(self, callback: Callable[..., object], *args: Any, **_update: Any) -> None:
        """Begin to wait anew."""
        self.stop()
        self.callback, self.args = callback, args
        self._wait(self._repeat_s)

    def _wait(self, after_s: float | None) -> None:
        due = Callback(self._fire, ())
        due.way = TIMER
        self._due = due
        self.loop.later(due, after_s, ref=self.ref)

    def _fire(self) -> None:
        callback, args = self.callback, self.args
        if self._repeat_s:
            self._wait(self._repeat_s)
        else:
            self._due = None
        if callback is not None and args is not None:
            callback(*args)

    def stop(self) -> None:
        """It is not called."""
        if self._due is not None:
            self._due.stop()
        self.callback = self.args = self._due = None

    close = stop

    @property
    def active(self) -> bool:
        """It waits."""
        return self._due is not None

    @property
    def pending(self) -> bool:
        """It is due and has not been called; here that is one moment."""
        return False

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
