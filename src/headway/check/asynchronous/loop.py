"""The loop: asyncio's own, but who of the ready goes next is chosen, time is virtual, and there is no real I/O."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import re
from asyncio import base_events
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headway.check.asynchronous.refusing import Refusing
from headway.check.asynchronous.telling import gives_way, goes_on
from headway.check.asynchronous.units import (
    CALLBACK,
    STEP,
    TIMER,
    YIELD,
    Future,
    LoopUnit,
    Task,
    Timer,
    Turn,
    task_of,
)
from headway.check.asynchronous.waits import lost, waiting_tasks
from headway.check.doubles.clock import START_NS
from headway.check.ending import Blocked, raised
from headway.check.execution import Stop
from headway.check.world import here, world

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["Loop"]

_COUNTED = re.compile(r"Task-\d+\Z")
SPINS = 20
"""Rounds in which tasks do nothing but give way, before time goes on."""

# Taken before anything is doubled.
_run_forever = base_events.BaseEventLoop.run_forever

_Base: Any = base_events.BaseEventLoop


class Loop(Refusing, _Base):  # type: ignore[misc]  # typeshed has none of what asyncio's own loops are built on
    """Runs on the thread of one unit; the tasks in it are units that share this thread.

    What is kept of the order in which asyncio calls: callbacks that were given to `call_soon` are called in this
    order, and no step of a task overtakes a callback that was there before it. A task that gives way by `sleep(0)`
    lets those go first that it has started (and those they started) and whom it has woken, if they are ready by then.
    Else the steps of tasks, and timers that are due at the same time, come in any order.
    """

    def __init__(self) -> None:
        super().__init__()
        execution = world.execution
        assert execution is not None
        self._execution: Execution = execution
        self._turns: list[Turn | Timer] = []
        self._timers: list[tuple[int, int, Timer]] = []
        self._orders = 0
        self._names = 0
        self._units: list[LoopUnit] = []
        """Of tasks."""
        self._others: dict[int, tuple[Any, LoopUnit]] = {}
        """Of tasks that the program makes by itself."""
        self._callbacks: LoopUnit | None = None
        self._timer_units: list[LoopUnit] = []
        self._carrier: Unit | None = None
        self._current: LoopUnit | None = None
        self._woken = False
        self._spins = 0
        execution.at_end.append(self._never_retrieved)

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
            self._names += 1
            name = f"Task-{self._names}"
        if self._task_factory is not None:
            if context is not None:
                more["context"] = context
            return super().create_task(coro, name=name, **more)
        return Task(coro, loop=self, name=name, context=context, **more)

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Turn:
        """As `loop.call_soon`."""
        if self._closed:
            self._check_closed()
        turn = Turn(callback, args, self, context)
        current = turn.by = self._current if self._execution.running is self._carrier else None
        task = task_of(callback)
        if task is None:
            turn.way = CALLBACK
            turn.unit = self._callbacks or self._callback_unit()
        else:
            unit: LoopUnit | None = getattr(task, "unit", None)
            if unit is None:
                unit = self._unit_of(task)
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
        heapq.heappush(self._timers, (when_ns, self._orders, timer))
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
        self._debug = False

    def close(self) -> None:
        """As `loop.close`."""
        if not self._closed and not self.is_running():
            self._turns.clear()
            self._timers.clear()
        super().close()

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

    # ---- the run ----

    def run_forever(self) -> None:
        """As `loop.run_forever`."""
        execution = self._execution
        if world.execution is not execution or here() is None:
            raise RuntimeError("this event loop was made under check, in an execution that is over")
        before = self._carrier, self._current
        self._carrier, self._current = execution.running, None
        try:
            _run_forever(self)
        finally:
            self._carrier, self._current = before

    def _run_once(self) -> None:
        execution = self._execution
        me = execution.running
        me.steps += 1
        last: Unit = me
        while not self._stopping:
            self._point(execution, me)
            if not self._turns:
                self._wait(execution, me)
                continue
            last = self._go(execution, last)
        # `stop` lets those have their turn that were ready before.
        batch, self._turns = self._turns, []
        later = self._turns
        while batch:
            self._turns = batch
            turn = self._choose(execution, last)
            self._turns = later
            if turn is not None:
                last = self._give(turn)

    def _point(self, execution: Execution, me: Unit) -> None:
        """Other threads may come in between."""
        if execution.stopping:
            execution.stopped(me)
            if not self._turns and not self._timers:
                raise Stop
        elif len(execution.live) > 1:
            if self._turns:
                execution.sync(me, "turn", self)
            if execution.watcher is not None:
                execution.watcher.acquired(me, self)

    def _go(self, execution: Execution, last: Unit) -> Unit:
        turn = self._choose(execution, last)
        return last if turn is None else self._give(turn)

    def _give(self, turn: Turn | Timer) -> Unit:
        unit = turn.unit
        self._current = unit
        execution = self._execution
        carrier = self._carrier
        if execution.watcher is not None and carrier is not None:
            carrier.inner_unit = unit
            goes_on(unit, execution.watcher)
        try:
            turn._context.run(turn._callback, *turn._args)
        except (SystemExit, KeyboardInterrupt, Stop):
            raise
        except BaseException as error:
            self.call_exception_handler(
                {"message": f"Exception in callback {turn!r}", "exception": error, "handle": turn}
            )
        finally:
            unit.steps += 1
            self._current = None
            if carrier is not None:
                carrier.inner_unit = None
        if execution.watcher is not None:
            gives_way(unit, self._units, execution.watcher)
        return unit

    # ---- who is next ----

    def _choose(self, execution: Execution, last: Unit) -> Turn | Timer | None:
        """Take the next turn; None if all have been cancelled."""
        turns = self._turns
        if len(turns) == 1:
            turn = turns.pop()
            if turn._cancelled:
                return None
            self._count(turn, execution)
            if turn.unit.steps >= turn.unit.limit:
                execution.pick([turn.unit], turn.unit, turn.unit)
            return turn
        units: list[Unit] = []
        places: list[int] = []
        callbacks = False
        gone = False
        for place, turn in enumerate(turns):
            if turn._cancelled:
                gone = True
                continue
            way = turn.way
            if way == CALLBACK:
                if callbacks:
                    continue
                callbacks = True
            elif (callbacks and way != TIMER) or (
                way == YIELD and place and _lets_go_first(turn, turns, place)
            ):
                continue
            units.append(turn.unit)
            places.append(place)
        if not units:
            turns.clear()
            return None
        default = units[0]
        chosen = execution.pick(units, last, default) if len(units) > 1 else default
        turn = turns.pop(places[units.index(chosen)] if chosen is not default else places[0])
        if gone:
            turns[:] = [other for other in turns if not other._cancelled]
        self._count(turn, execution)
        return turn

    def _count(self, turn: Turn | Timer, execution: Execution) -> None:
        """Tasks that do nothing but give way wait for the time."""
        if turn.way != YIELD:
            self._spins = 0
            return
        self._spins += 1
        if self._spins <= SPINS * (len(self._turns) + 1):
            return
        self._spins = 0
        due = self._next_time()
        me = execution.running
        if len(execution.live) > 1:
            me.deadline_ns = due
            execution.give_way(me)
        elif due is not None:
            execution.now_ns = max(execution.now_ns, due)
        self._ring(execution.now_ns)

    # ---- time ----

    def _next_time(self) -> int | None:
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        return timers[0][0] if timers else None

    def _wait(self, execution: Execution, me: Unit) -> None:
        """Nothing is ready: until another thread calls, or the next timer is due."""
        due = self._next_time()
        if due is not None and due <= execution.now_ns:
            pass
        elif due is not None and (execution.stopping or len(execution.live) == 1):
            execution.now_ns = due
        elif not self._woken:
            execution.sync(me, "wait", self, self._is_woken, due)
            if execution.stopping:
                raise Stop
        self._woken = False
        self._ring(execution.now_ns)

    def _is_woken(self, unit: Unit) -> bool:
        return self._woken

    def _ring(self, now_ns: int) -> None:
        """Timers that are due become ready, together with what is ready."""
        timers = self._timers
        while timers and timers[0][0] <= now_ns:
            timer = heapq.heappop(timers)[2]
            timer._scheduled = False
            if not timer._cancelled:
                timer.unit = self._timer_unit()
                self._turns.append(timer)

    def _timer_handle_cancelled(self, handle: object) -> None:
        """It is left where it is until its time."""

    def _write_to_self(self) -> None:
        """There is no selector to wake."""
        self._woken = True

    # ---- units ----

    def next_order(self) -> int:
        """What a task or future has for a hash."""
        self._orders += 1
        return self._orders

    def _unit_of(self, task: Any) -> LoopUnit:
        own = isinstance(task, Task)
        if not own:
            if id(task) in self._others:
                return self._others[id(task)][1]
            if _COUNTED.match(task.get_name()):  # by asyncio, since the process began
                self._names += 1
                task.set_name(f"Task-{self._names}")
        parent = self._current if self._current is not None and self._current.task is not None else None
        unit = self._add(task.get_name(), task, parent)
        if own:
            task.unit = unit
        else:
            self._others[id(task)] = (task, unit)
        self._units.append(unit)
        return unit

    def _callback_unit(self) -> LoopUnit:
        self._callbacks = self._add("callbacks", None, None)
        return self._callbacks

    def _timer_unit(self) -> LoopUnit:
        taken = {turn.unit for turn in self._turns}
        for unit in self._timer_units:
            if unit not in taken:
                return unit
        count = len(self._timer_units)
        unit = self._add(f"timer {count + 1}" if count else "timer", None, None)
        self._timer_units.append(unit)
        return unit

    def _add(self, name: str, task: Any, parent: LoopUnit | None) -> LoopUnit:
        execution = self._execution
        units = execution.units
        unit = LoopUnit(len(units), name, task, parent)
        unit.limit = 500
        units.append(unit)
        if execution.watcher is not None:
            execution.watcher.started(execution.running, unit)
        return unit

    # ---- afterwards ----

    def all_tasks(self) -> list[Any]:
        """Those that are not done, in the order in which they were made."""
        return [unit.task for unit in self._units if not unit.task.done()]

    @property
    def blocked(self) -> list[Blocked]:
        """Tasks that are not done, and what they await."""
        return [waiting.blocked for waiting in waiting_tasks(self._units)]

    @property
    def missed(self) -> bool:
        """Does a task wait for what nobody is left to do? Else they wait for each other."""
        return lost(waiting_tasks(self._units))

    def failed(self, task: Any, error: Exception) -> None:
        """The task that is the scenario has ended so."""
        if self._execution.ending is None and task.done():
            self._execution.end(raised(task.unit, error))

    def _never_retrieved(self) -> None:
        """The scenario is over: an exception that nobody has asked for is a failure."""
        for unit in self._units:
            task = unit.task
            if task.done() and not task.cancelled() and getattr(task, "_log_traceback", False):
                error = task.exception()
                if error is not None and not isinstance(error, Stop):
                    self._execution.end(raised(unit, error))
                    return


def _lets_go_first(turn: Turn | Timer, turns: list[Turn | Timer], place: int) -> bool:
    """Has the task of this turn started or woken somebody who is ready since before it gave way?"""
    unit = turn.unit
    return any(
        not other._cancelled and (other.by is unit or other.unit.comes_from(unit)) for other in turns[:place]
    )
