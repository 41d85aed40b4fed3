"""The loop: what a program and asyncio call; its turns are chosen, its time is virtual, and there is no real I/O."""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import base_events
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from headway.check.asynchronous.primitives import note
from headway.check.asynchronous.roster import Roster
from headway.check.asynchronous.timers import Timers
from headway.check.asynchronous.turning import Turning
from headway.check.asynchronous.units import (
    CALLBACK,
    STEP,
    YIELD,
    Future,
    Task,
    Timer,
    Turn,
    step_types,
    task_of,
)
from headway.check.asynchronous.waits import lost, waiting_tasks
from headway.check.doubles.clock import START_NS
from headway.check.ending import Blocked, raised
from headway.check.execution import Stop
from headway.check.world import here, world

if TYPE_CHECKING:
    from headway.check.asynchronous.units import LoopUnit

__all__ = ["Loop"]

copy_context = contextvars.copy_context
_new = object.__new__
_Base: Any = base_events.BaseEventLoop


def _initial() -> dict[str, Any]:
    loop = _Base()
    initial = vars(loop).copy()
    loop.close()
    del initial["_asyncgens"]
    return {**initial, "_debug": False}


_INITIAL = _initial()
"""What asyncio's own loop begins with; all loops share the two containers in it, since nothing is ever put there."""


class Loop(Turning):
    """Runs on the thread of one unit; the tasks in it are units that share this thread.

    What is kept of the order in which asyncio calls: callbacks that were given to `call_soon` are called in this
    order, and no step of a task overtakes a callback that was there before it. A task that gives way by `sleep(0)`
    lets those go first that it has started (and those they started) and whom it has woken, if they are ready by then.
    Else the steps of tasks, and timers that are due at the same time, come in any order.
    """

    __slots__ = ("_generators", "_orders")

    def __init__(self) -> None:
        # Instead of asyncio's own `__init__`, which looks at clocks and the environment, once for each schedule.
        self.__dict__.update(_INITIAL)
        execution = world.execution
        assert execution is not None
        self._generators: WeakSet[Any] | None = None
        self._execution = execution
        self._roster = Roster(execution)
        self._turns = []
        self._timers = Timers()
        self._orders = 0
        self._carrier = None
        self._current = None
        self._woken = False
        if execution.watcher is not None:
            note(execution)

    @property
    def described(self) -> str:
        """As people know it."""
        return "event loop"

    # ---- what a program calls ----

    def time(self) -> float:
        """Virtual."""
        return (self._execution.now_ns + START_NS) / 1e9

    def create_future(self) -> Future:
        """As `loop.create_future`."""
        return Future(loop=self)

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None, **more: Any) -> Any:
        """As `loop.create_task`. Names are counted anew in each execution."""
        if self._closed:
            self._check_closed()
        if name is None:
            name = self._roster.next_name()
        if self._task_factory is not None:
            if context is not None:
                more["context"] = context
            return super().create_task(coro, name=name, **more)
        task = Task.__new__(Task)
        self._orders += 1
        task._order = self._orders  # asyncio asks for the hash while it makes the task
        task.unit = None
        task.__init__(coro, loop=self, name=name, context=context, **more)  # type: ignore[misc]
        return task

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Turn:
        """As `loop.call_soon`."""
        if self._closed:
            self._check_closed()
        # A call of the class would take as long as all the rest.
        turn = _new(Turn)
        turn._callback = callback
        turn._args = args
        turn._context = copy_context() if context is None else context
        turn._loop = self
        turn._cancelled = False
        current = turn.by = self._current if self._execution.running is self._carrier else None
        task = callback.__self__ if type(callback) in step_types else task_of(callback)  # type: ignore[attr-defined]
        if task is None:
            turn.way = CALLBACK
            turn.unit = self._roster.of_callbacks()
        else:
            unit: LoopUnit | None
            try:
                unit = task.unit
            except AttributeError:  # a task that the program has made by itself
                unit = None
            if unit is None:
                unit = self._roster.of_task(task, self._current)
            turn.unit = unit
            turn.way = YIELD if unit is current else STEP
        self._turns.append(turn)
        return turn

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Turn:
        """As `loop.call_soon_threadsafe`: a point, where other threads are."""
        execution = self._execution
        me = here()
        if me is not None and len(execution.live) > 1:
            execution.sync(me, "call_soon_threadsafe", self)
        turn = self.call_soon(callback, *args, context=context)
        if me is not None and execution.watcher is not None:
            execution.watcher.released(me, self)
        self._woken = True
        return turn

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Timer:
        """As `loop.call_at`."""
        if when is None:
            raise TypeError("when cannot be None")
        self._check_closed()
        when_ns = round(when * 1e9) - START_NS
        timer = Timer(when, when_ns, callback, args, self, context)
        timer.by = self._current if self._execution.running is self._carrier else None
        self._orders += 1
        self._timers.add(timer, self._orders)
        return timer

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Timer:
        """As `loop.call_later`."""
        if delay is None:
            raise TypeError("delay must not be None")
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def set_debug(self, enabled: bool) -> None:
        """Does nothing: debug mode measures real time."""

    # Each future and task that is made asks for it: a call that gives False, without a frame of Python.
    get_debug = bool

    @property
    def _asyncgens(self) -> WeakSet[Any]:
        """Those that are being iterated; few programs have any."""
        if self._generators is None:
            self._generators = WeakSet()
        return self._generators

    @property
    def generates(self) -> bool:
        """Was there an asynchronous generator?"""
        return self._generators is not None

    def shutdown_asyncgens(self) -> Any:
        """As `loop.shutdown_asyncgens`."""
        return self._done() if self._execution.stopping else super().shutdown_asyncgens()

    def shutdown_default_executor(self, *timeout: float | None) -> Any:
        """As `loop.shutdown_default_executor`."""
        return self._done() if self._execution.stopping else super().shutdown_default_executor(*timeout)

    def _done(self) -> Future:
        """Who unwinds starts nothing anew."""
        done = self.create_future()
        done.set_result(None)
        return done

    def close(self) -> None:
        """As `loop.close`."""
        if not self._closed and not self.is_running():
            self._turns.clear()
            self._timers.clear()
        super().close()

    def __del__(self, *args: Any) -> None:
        if not self._closed:
            ending = self._execution.ending
            if ending is None or ending.kind == "ok":  # else it was cut off, and nobody could close the loop
                super().__del__(*args)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """What nobody handles is a failure of the scenario; asyncio only logs it."""
        execution = self._execution
        error = context.get("exception")
        if execution is not world.execution or execution.stopping or isinstance(error, Stop):
            return
        if error is None or isinstance(error, asyncio.CancelledError):
            return
        task = context.get("task") or context.get("future")
        unit = getattr(task, "unit", None) or self._current or execution.running
        execution.end(raised(unit, error))

    # ---- units ----

    def next_order(self) -> int:
        """What a task or future has for a hash."""
        self._orders += 1
        return self._orders

    # ---- afterwards ----

    def all_tasks(self) -> list[Any]:
        """Those that are not done, in the order in which they were made."""
        return self._roster.pending()

    @property
    def blocked(self) -> list[Blocked]:
        """Tasks that are not done, and what they await."""
        return [waiting.blocked for waiting in waiting_tasks(self._roster.tasks)]

    @property
    def missed(self) -> bool:
        """Does a task wait for a signal that nobody is left to give?"""
        return lost(self._roster.tasks)

    def failed(self, task: Any, error: Exception) -> None:
        """The task that is the scenario has ended so."""
        if self._execution.ending is None and task.done():
            self._execution.end(raised(task.unit, error))
