"""Counting: how many places a unit has passed where CPython with the GIL may hand it over.

With the GIL a thread that does not wait keeps it until the interpreter looks whether another one wants it (the "eval
breaker"). Since 3.10 (bpo-29988) CPython looks only where a Python function starts or a generator goes on, where a loop
jumps back, and after the call of something that is not written in Python: `RESUME`, `JUMP_BACKWARD` and `CALL` in
Python/bytecodes.c, which was Python/ceval.c up to 3.11. A Python function that returns is no such place, nor is an
operator, an attribute or an item, unless Python code runs for it. Which they are is not guessed from the source: the
interpreter tells of each, through `sys.monitoring` from 3.12 on, and on 3.11 instruction by instruction.

What is done to locks, threads and the like is seen as the program's own calls are: one in C counts when it is done, so
a free lock is taken before the interpreter looks; one in Python counts when it starts. Who waits lets the GIL go. What
is a place on any version up to 3.15 counts on each: another one may run the program.

Not seen: C code that lets the GIL go without being called, such as a file that is closed with its last reference, or
an operator of a C extension. Nor, on 3.11, finalizers that the collector of cycles runs when something new is made.
"""

from __future__ import annotations

import _thread
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from headway.check.world import world

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["Handovers", "passed", "watching"]

_get_ident = _thread.get_ident


class Handovers:
    """Counts them, for each unit of the execution that runs."""

    def __init__(self) -> None:
        self._execution: Execution | None = None
        self._counts: dict[int, int] = {}
        self._points: dict[int, int] = {}
        self.blind = False
        """Something was not seen: too few may have been counted."""

    def add(self) -> None:
        """The unit that runs passes one, if it is the caller."""
        execution = world.execution
        if execution is None or execution.ident != _get_ident():
            return
        if execution is not self._execution:
            self._begin(execution)
        number = execution.running.number
        self._counts[number] = self._counts.get(number, 0) + 1

    def count(self, unit: Unit) -> int:
        """How many the unit that runs has passed."""
        execution = world.execution
        if execution is not None and execution is not self._execution:
            self._begin(execution)
        self.blind = self.blind or not self.sees()
        return self._counts.get(unit.number, 0)

    def one_more(self, unit: Unit) -> bool:
        """Has the unit that runs passed one since this was last true?"""
        count = self.count(unit)
        if self._points.get(unit.number) == count:
            return False
        self._points[unit.number] = count
        return True

    def sees(self) -> bool:
        """Is it told of what the caller does?"""
        return True

    def _begin(self, execution: Execution) -> None:
        self._execution = execution
        self._counts.clear()
        self._points.clear()


_now: Handovers | None = None


def passed(unit: Unit) -> int | None:
    """How many the unit that runs has passed; None: nobody counts."""
    return _now.count(unit) if _now is not None else None


@contextmanager
def watching() -> Iterator[Handovers | None]:
    """Count while the block runs, in the thread in which executions run.

    None: other tools that watch the interpreter leave no room.
    """
    # Not sooner: few explorations need it, and it looks at the interpreter's version.
    if sys.version_info >= (3, 12):
        from headway.check.handovers.monitored import monitored as watched
    else:
        from headway.check.handovers.traced import traced as watched
    global _now
    with watched() as handovers:
        _now = handovers
        try:
            yield handovers
        finally:
            _now = None
