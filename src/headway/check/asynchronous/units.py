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

__all__ = [
    "CALLBACK",
    "STEP",
    "TIMER",
    "YIELD",
    "Future",
    "LoopUnit",
    "Task",
    "Timer",
    "Turn",
    "step_types",
    "task_of",
]

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
        self.shut_by = None  # nobody waits for it as for a thread, and it goes with its last reference
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

    def keep_name(self) -> None:
        """The task will go, and its name is asked for later."""
        self._name = self.name


def _nothing() -> None:
    pass


class Turn(events.Handle):
    """A callback that is ready to be called. The loop makes one in its `call_soon`, attribute by attribute."""

    __slots__ = ("by", "unit", "way")
    if TYPE_CHECKING:
        _callback: Callable[..., object]
        _context: contextvars.Context
        _loop: Loop
        unit: LoopUnit
        way: int
        by: LoopUnit | None
        """Who gave it to the loop."""

    # Of debug mode, which measures real time. They stand in place of the slots of `Handle`.
    _repr = None
    _source_traceback = None


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
    if TYPE_CHECKING:
        unit: LoopUnit | None

    def __hash__(self) -> int:
        try:
            order: int = self._order  # type: ignore[has-type]  # set two lines below
        except AttributeError:
            order = self._order = self.get_loop().next_order()  # type: ignore[attr-defined]
        return order


# A task's wake-ups are methods in C. Of tasks that are written in Python, both steps and wake-ups are bound methods.
_method_in_c = type(len)
_PyTask: Any = vars(asyncio.tasks)["_PyTask"]
step_types: set[type] = set()
"""What the steps of tasks are, of a type that only C knows: learnt at the first one."""


def task_of(callback: Any) -> Any:
    """The task that a callback is a step of; None for a plain callback."""
    kind = type(callback)
    if kind is _method_in_c:
        return callback.__self__ if callback.__name__ == "task_wakeup" else None
    if kind is MethodType:
        is_step = callback.__name__ in ("__step", "__wakeup") and isinstance(callback.__self__, _PyTask)
        return callback.__self__ if is_step else None
    if kind.__name__ == "TaskStepMethWrapper":
        step_types.add(kind)
        return callback.__self__
    return None
