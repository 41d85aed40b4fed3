"""Turns of a loop: one of those that are ready after the other, until the loop is stopped; and time goes on."""

from __future__ import annotations

from asyncio import base_events
from typing import TYPE_CHECKING, Any

from headway.check.asynchronous.ready import take
from headway.check.asynchronous.refusing import Refusing
from headway.check.asynchronous.telling import gives_way, goes_on
from headway.check.asynchronous.units import YIELD
from headway.check.bounds import SPIN
from headway.check.execution import Stop
from headway.check.turns import tally
from headway.check.unit import Asks
from headway.check.world import here, world

if TYPE_CHECKING:
    from headway.check.asynchronous.roster import Roster
    from headway.check.asynchronous.timers import Timers
    from headway.check.asynchronous.units import LoopUnit, Timer, Turn
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["Turning"]

SPINS = 20
"""Turns of each task that does nothing but give way, before time goes on."""

# Taken before anything is doubled.
_stop: Any = vars(base_events)["_run_until_complete_cb"]
_run_forever = base_events.BaseEventLoop.run_forever

_Base: Any = base_events.BaseEventLoop


class Turning(Refusing, _Base):  # type: ignore[misc]  # typeshed has none of what asyncio's own loops are built on
    """Runs on the thread of one unit; the tasks in it are units that share this thread."""

    __slots__ = ("_carrier", "_current", "_execution", "_roster", "_timers", "_turns", "_woken")
    _execution: Execution
    _roster: Roster
    _turns: list[Turn | Timer]
    """What is ready, in the order in which it became so."""
    _timers: Timers
    _carrier: Unit | None
    """Whose thread it runs on; None: it does not run."""
    _current: LoopUnit | None
    """Whose turn it is."""
    _woken: bool
    """Has another thread called?"""

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
                me.deadline_ns = self._timers.next_ns()
                execution.give_way(me)
            elif self._turns:
                execution.sync(me, "turn", self)
            if execution.watcher is not None:
                execution.watcher.acquired(me, self)
        elif enough:
            spins = 0
            due = self._timers.next_ns()
            if due is not None:
                execution.now_ns = max(execution.now_ns, due)
        if enough:
            self._ring(execution.now_ns)
        return spins

    # ---- time ----

    def _wait(self, execution: Execution, me: Unit) -> None:
        """Nothing is ready: until another thread calls, or the next timer is due."""
        due = self._timers.next_ns()
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
        for timer in self._timers.due(now_ns):
            timer.unit = self._roster.of_timer(self._turns)
            self._turns.append(timer)

    def _timer_handle_cancelled(self, handle: object) -> None:
        """It is left where it is until its time."""

    def _write_to_self(self) -> None:
        """There is no selector to wake."""
        self._woken = True
