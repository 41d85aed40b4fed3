"""The loop: asyncio's own, but who of the ready goes next is chosen, time is virtual, and there is no real I/O."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from asyncio import base_events
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from headway.check.asynchronous.primitives import note
from headway.check.asynchronous.ready import take
from headway.check.asynchronous.refusing import Refusing
from headway.check.asynchronous.roster import Roster
from headway.check.asynchronous.telling import gives_way, goes_on
from headway.check.asynchronous.units import (
    CALLBACK,
    STEP,
    YIELD,
    Future,
    LoopUnit,
    Task,
    Timer,
    Turn,
    step_types,
    task_of,
)
from headway.check.asynchronous.waits import lost, waiting_tasks
from headway.check.bounds import SPIN
from headway.check.doubles.clock import START_NS
from headway.check.ending import Blocked, raised
from headway.check.execution import Stop
from headway.check.turns import tally
from headway.check.unit import Asks
from headway.check.world import here, world

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["Loop"]

SPINS = 20
"""Turns of each task that does nothing but give way, before time goes on."""

# Taken before anything is doubled.
_stop: Any = vars(base_events)["_run_until_complete_cb"]
_run_forever = base_events.BaseEventLoop.run_forever

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


class Loop(Refusing, _Base):  # type: ignore[misc]  # typeshed has none of what asyncio's own loops are built on
    """Runs on the thread of one unit; the tasks in it are units that share this thread.

    What is kept of the order in which asyncio calls: callbacks that were given to `call_soon` are called in this
    order, and no step of a task overtakes a callback that was there before it. A task that gives way by `sleep(0)`
    lets those go first that it has started (and those they started) and whom it has woken, if they are ready by then.
    Else the steps of tasks, and timers that are due at the same time, come in any order.
    """

    __slots__ = (
        "_carrier",
        "_current",
        "_execution",
        "_generators",
        "_orders",
        "_roster",
        "_timers",
        "_turns",
        "_woken",
    )

    def __init__(self) -> None:
        # Instead of asyncio's own `__init__`, which looks at clocks and the environment, once for each schedule.
        self.__dict__.update(_INITIAL)
        execution = world.execution
        assert execution is not None
        self._generators: WeakSet[Any] | None = None
        self._execution: Execution = execution
        self._roster = Roster(execution)
        self._turns: list[Turn | Timer] = []
        self._timers: list[tuple[int, int, Timer]] = []
        self._orders = 0
        self._carrier: Unit | None = None
        self._current: LoopUnit | None = None
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

    # ---- the run ----

    def run_forever(self) -> None:
        """As `loop.run_forever`."""
        execution = self._execution
        if world.execution is not execution or here() is None:
            raise RuntimeError("this event loop was made under check, in an execution that is over")
        me = execution.running
        before = self._carrier, self._current
        self._carrier, self._current = me, None
        try:
            _run_forever(self)
        finally:
            self._carrier, self._current = before
            me.owner = None  # an object of the program may lead back to the loop, and both are to go at once

    def run_task(self, task: Any) -> None:
        """As `loop.run_until_complete`, for the task that is the scenario."""
        task.add_done_callback(_stop)
        try:
            self.run_forever()
        finally:
            task.remove_done_callback(_stop)
        if not task.done():
            raise RuntimeError("Event loop stopped before Future completed.")
        task.result()

    def _run_once(self) -> None:
        execution = self._execution
        live = execution.live
        me = execution.running
        me.steps += 1
        last: Unit = me
        turns = self._turns
        stopping = False
        spins = 0
        until_tally = SPIN
        while True:
            if self._stopping and not stopping:
                stopping = True
                self._turns = []  # `stop` lets those have their turn that were ready before
            if stopping:
                if not turns:
                    return
            elif spins > SPINS or len(live) > 1 or execution.stopping:
                spins = self._point(execution, me, spins)
            if len(turns) == 1:
                turn = turns.pop()
                if turn._cancelled:
                    continue
                last = unit = turn.unit
                if unit.steps >= unit.limit:  # nobody else is there, but it may spin
                    execution.pick([unit], unit, unit)
            elif turns:
                chosen = take(turns, execution, last)
                if chosen is None:
                    continue
                turn = chosen
                last = unit = turn.unit
            else:
                self._wait(execution, me)
                continue
            spins = spins + 1 if turn.way == YIELD else 0
            until_tally -= 1
            if not until_tally:
                until_tally = SPIN
                me.kind, me.owner = "turn", self
                tally(execution, me)
            self._current = unit
            watcher = execution.watcher
            if watcher is not None:
                me.inner_unit = unit
                goes_on(unit, watcher)
            try:
                args = turn._args
                if args:
                    turn._context.run(turn._callback, *args)
                else:
                    turn._context.run(turn._callback)
            except (SystemExit, KeyboardInterrupt, Stop):
                raise
            except BaseException as error:
                self.call_exception_handler(
                    {"message": f"Exception in callback {turn!r}", "exception": error, "handle": turn}
                )
            finally:
                unit.steps += 1
                self._current = None
                if watcher is not None:
                    me.inner_unit = None
            if watcher is not None and execution.watcher is not None:
                gives_way(unit, self._roster.tasks, execution.watcher)

    def _point(self, execution: Execution, me: Unit, spins: int) -> int:
        """Other threads may come in between, and time may go on for tasks that do nothing but give way.

        Args:
            execution: The loop's.
            me: The loop's carrier.
            spins: Turns since anybody did more than that.
        Returns:
            The same, or 0 if time has gone on.
        """
        enough = spins > SPINS * len(self._turns)
        if execution.stopping:
            execution.stopped(me)
            if not self._turns and not self._timers:
                raise Stop
        elif len(execution.live) > 1:
            if enough:
                me.deadline_ns = self._next_time()
                execution.give_way(me)
            elif self._turns:
                execution.sync(me, "turn", self)
            if execution.watcher is not None:
                execution.watcher.acquired(me, self)
        elif enough:
            spins = 0
            due = self._next_time()
            if due is not None:
                execution.now_ns = max(execution.now_ns, due)
        if enough:
            self._ring(execution.now_ns)
        return spins

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
            execution.sync(me, "wait", self, Asks(self._is_woken, me), due)
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
                timer.unit = self._roster.of_timer(self._turns)
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
