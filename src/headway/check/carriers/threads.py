"""OS threads that pass a baton. They are kept from one execution to the next: a thread costs more than a schedule."""

from __future__ import annotations

import _thread
from contextvars import Context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["ThreadCarriers"]

# Taken before anything is doubled.
_start_new_thread = _thread.start_new_thread
_allocate_lock = _thread.allocate_lock
_get_ident = _thread.get_ident


class _Carrier:
    """One OS thread, and the baton that it waits for."""

    def __init__(self, carriers: ThreadCarriers) -> None:
        self.carriers = carriers
        self.baton = _allocate_lock()
        self.baton.acquire()
        self.ident = 0
        self.task: tuple[Execution, Unit] | None = None
        started = _allocate_lock()
        started.acquire()
        _start_new_thread(self._loop, (started,))
        started.acquire()

    def _loop(self, started: _thread.LockType) -> None:
        self.ident = _get_ident()
        started.release()
        while True:
            self.baton.acquire()
            if self.task is None:
                return
            execution, unit = self.task
            self.task = None
            following = Context().run(execution.body, unit)  # as a new thread, which begins with an empty one
            # Subtle: idle before the baton goes on; whoever has it next may give this carrier a unit at once, and
            # its baton then waits for it.
            self.carriers.idle.append(self)
            _hand(execution, following)


def _hand(execution: Execution, following: Unit) -> None:
    execution.running = following
    execution.ident = following.ident
    following.baton.release()


class ThreadCarriers:
    """Each unit has an OS thread of its own, as in a real program."""

    name = "threads"

    def __init__(self) -> None:
        self.idle: list[_Carrier] = []
        self._baton = _allocate_lock()
        self._baton.acquire()

    def adopt(self, main: Unit) -> None:
        """The calling thread is the scenario's own unit."""
        main.ident = _get_ident()
        main.baton = self._baton

    def give(self, execution: Execution, unit: Unit) -> None:
        """Prepare a unit, on a thread that is idle."""
        carrier = self.idle.pop() if self.idle else _Carrier(self)
        carrier.task = (execution, unit)
        unit.ident = carrier.ident
        unit.baton = carrier.baton

    def switch(self, execution: Execution, me: Unit, following: Unit) -> None:
        """Hand the baton over, and wait for one's own."""
        execution.running = following
        execution.ident = following.ident
        following.baton.release()
        me.baton.acquire()

    def close(self) -> None:
        """Let the idle threads end."""
        while self.idle:
            carrier = self.idle.pop()
            carrier.task = None
            carrier.baton.release()
