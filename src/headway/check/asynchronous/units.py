"""What runs in a loop: units that share the loop's thread, and the turns that they wait for."""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import events
from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any

from headway.check.unit import Unit

if TYPE_CHECKING:
    from headway.check.asynchronous.loop import Loop

__all__ = ["CALLBACK", "STEP", "TIMER", "YIELD", "Future", "LoopUnit", "Task", "Timer", "Turn", "task_of"]

CALLBACK = 0
"""Given to `call_soon` by the program or by asyncio: in the order in which they were given."""
STEP = 1
"""A task's first step, or a wake-up: in any order."""
YIELD = 2
"""A task goes on after `sleep(0)`, which lets others run."""
TIMER = 3
"""Its time has come: in any order."""


class LoopUnit(Unit):
    """A task, a timer, or the plain callbacks of a loop. Runs on the thread of the loop, and never waits itself."""

    __slots__ = ("_name", "at", "parent", "task")
    inner = True

    def __init__(self, number: int, name: str, task: Any, parent: LoopUnit | None) -> None:
        self.task = task
        """None for callbacks and timers."""
        super().__init__(number, name, _nothing)
        self.parent = parent
        """The task that made it."""
        self.at: tuple[str, int] | None = None
        """File and line where it waits, while it tells so."""

    @property
    def name(self) -> str:  # a task may be named when it runs already
        """As people know it."""
        return self._name if self.task is None else str(self.task.get_name())

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    @property
    def described(self) -> str:
        """As people know it."""
        return f"task {self.name}" if self.task is not None else self.name

    def forget(self) -> None:
        """Let go of the task."""
        self._name = self.name
        self.task = None


def _nothing() -> None:
    pass


class Turn(events.Handle):
    """A callback that is ready to be called."""

    __slots__ = ("by", "unit", "way")

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: Loop,
        context: contextvars.Context | None,
    ) -> None:
        # As `Handle.__init__`, which asks for the loop's debug mode each time.
        self._context = contextvars.copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        self.unit: LoopUnit
        self.way: int
        self.by: LoopUnit | None
        """Who gave it to the loop."""


class Timer(events.TimerHandle):
    """A callback for later."""

    __slots__ = ("by", "unit", "way", "when_ns")

    def __init__(
        self,
        when: float,
        when_ns: int,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: Loop,
        context: contextvars.Context | None,
    ) -> None:
        self._context = contextvars.copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        self._when = when
        self._scheduled = True
        self.when_ns = when_ns
        self.unit: LoopUnit
        self.way = TIMER
        self.by: LoopUnit | None = None


class Future(asyncio.Future[Any]):
    """A future whose place in a set is the same each time the schedule runs."""

    __slots__ = ("_order",)

    def __hash__(self) -> int:
        try:
            order: int = self._order  # type: ignore[has-type]  # set two lines below
        except AttributeError:
            order = self._order = self.get_loop().next_order()  # type: ignore[attr-defined]
        return order


class Task(asyncio.Task[Any]):
    """A task whose place in a set is the same each time, and that knows its unit."""

    __slots__ = ("_order", "unit")

    def __hash__(self) -> int:
        try:
            order: int = self._order  # type: ignore[has-type]  # set two lines below
        except AttributeError:
            order = self._order = self.get_loop().next_order()  # type: ignore[attr-defined]
        return order


# A task's steps are objects of a type that only C knows, its wake-ups methods in C. Of tasks that are written in Python
# both are bound methods.
_method_in_c = type(len)
_PyTask: Any = vars(asyncio.tasks)["_PyTask"]


def task_of(callback: Any) -> Any:
    """The task that a callback is a step of; None for a plain callback."""
    kind = type(callback)
    if kind.__name__ == "TaskStepMethWrapper":
        return callback.__self__
    if kind is _method_in_c:
        return callback.__self__ if callback.__name__ == "task_wakeup" else None
    if kind is MethodType and callback.__name__ in ("__step", "__wakeup"):
        return callback.__self__ if isinstance(callback.__self__, _PyTask) else None
    return None
