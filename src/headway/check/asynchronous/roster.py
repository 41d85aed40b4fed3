"""The units of a loop: its tasks, its plain callbacks, and its timers that are due."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from headway.check.asynchronous.units import LoopUnit, Task, Timer, Turn
from headway.check.bounds import SPIN
from headway.check.ending import raised
from headway.check.execution import Stop

if TYPE_CHECKING:
    from headway.check.execution import Execution

__all__ = ["Roster"]

_COUNTED = re.compile(r"Task-\d+\Z")


class Roster:
    """Numbers are given in the order in which units are first seen, the same in each run of a schedule."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self.tasks: list[LoopUnit] = []
        self._others: dict[int, tuple[Any, LoopUnit]] = {}
        """Of tasks that the program makes by itself."""
        self._callbacks: LoopUnit | None = None
        self._timers: list[LoopUnit] = []
        self._names = 0
        execution.at_end.append(self.look_back)

    def next_name(self) -> str:
        """As asyncio names tasks, but counted anew in each execution."""
        self._names += 1
        return f"Task-{self._names}"

    def of_task(self, task: Any, parent: LoopUnit | None) -> LoopUnit:
        """The unit that a task is.

        Args:
            task: Any task of asyncio.
            parent: The unit that runs now, if any.
        """
        own = isinstance(task, Task)
        if not own:
            if id(task) in self._others:
                return self._others[id(task)][1]
            if _COUNTED.match(task.get_name()):  # by asyncio, since the process began
                task.set_name(self.next_name())
        unit = self._add("", task, parent if parent is not None and parent.task is not None else None)
        if own:
            task.unit = unit
        else:
            self._others[id(task)] = (task, unit)
        self.tasks.append(unit)
        return unit

    def of_callbacks(self) -> LoopUnit:
        """All plain callbacks are one unit, since their order is fixed."""
        if self._callbacks is None:
            self._callbacks = self._add("callbacks", None, None)
        return self._callbacks

    def of_timer(self, turns: list[Turn | Timer]) -> LoopUnit:
        """A unit for a timer that is due; those of timers that have gone are used again.

        Args:
            turns: What is ready.
        """
        taken = {turn.unit.number for turn in turns}
        for unit in self._timers:
            if unit.number not in taken:
                return unit
        count = len(self._timers)
        unit = self._add(f"timer {count + 1}" if count else "timer", None, None)
        self._timers.append(unit)
        return unit

    def _add(self, name: str, task: Any, parent: LoopUnit | None) -> LoopUnit:
        execution = self._execution
        units = execution.units
        unit = LoopUnit(len(units), name, task, parent)
        unit.limit = SPIN
        units.append(unit)
        if execution.watcher is not None:
            execution.watcher.started(execution.running, unit)
        return unit

    def pending(self) -> list[Any]:
        """Tasks that are not done, in the order in which they were made."""
        return [unit.task for unit in self.tasks if not unit.task.done()]

    def look_back(self) -> None:
        """The execution is over: an exception that nobody has asked for is a failure."""
        if self._execution.ending is None:
            self._never_retrieved()
        else:
            self._never_awaited()
        # Subtle: asyncio keeps all tasks in one set, and those of the next execution have the same hashes. None may be
        # left for the collector of cycles, or they pile up there.
        told = self._execution.ending is not None or self._execution.watcher is not None
        for unit in self.tasks:
            if told:
                unit.keep_name()
            unit.task = None
        self._others.clear()

    def _never_retrieved(self) -> None:
        for unit in self.tasks:
            task = unit.task
            if getattr(task, "_log_traceback", False) and task.done() and not task.cancelled():
                error = task.exception()
                if error is not None and not isinstance(error, Stop):
                    self._execution.end(raised(unit, error))
                    return

    def _never_awaited(self) -> None:
        """Python would warn of coroutines that were not begun; but here it is the execution that was cut off."""
        for task in self.pending():
            coroutine = task.get_coro()
            if inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) == "CORO_CREATED":
                coroutine.close()
