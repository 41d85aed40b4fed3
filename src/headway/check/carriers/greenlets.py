"""Greenlets on one OS thread: a switch costs less than a microsecond."""

from __future__ import annotations

import _thread
from asyncio import events
from typing import TYPE_CHECKING, Any

from headway.check.asynchronous.running import enter, leave
from headway.errors import MissingExtra

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["GreenletCarriers"]

_get_ident = _thread.get_ident
_get_running_loop: Any = vars(events)["_get_running_loop"]


class _Carrier:
    """One greenlet, and the unit that it is to run."""

    __slots__ = ("carriers", "greenlet", "task")

    def __init__(self, carriers: GreenletCarriers) -> None:
        self.carriers = carriers
        self.task: tuple[Execution, Unit] | None = None
        self.greenlet: Any = carriers.greenlet(self._loop, carriers.root)

    def _loop(self, *_: object) -> None:
        idle = self.carriers.idle
        while True:  # its condition would keep CPython 3.11 from making this faster
            if self.task is None:
                return
            execution, unit = self.task
            self.task = None
            following = execution.body(unit)
            unit.greenlet = None
            del unit  # an idle carrier keeps nothing of an execution
            execution.running = following
            idle.append(self)
            switch = following.greenlet.switch
            del execution, following
            switch()
            del switch


class GreenletCarriers:
    """Each unit is a greenlet. C extensions and what lies in C thread-locals see one thread.

    Greenlets are kept from one execution to the next: since Python 3.11 each takes memory from the system for its
    frames, and gives it back, which costs as much as twenty switches.
    """

    name = "greenlets"

    def __init__(self) -> None:
        try:
            from greenlet import getcurrent, greenlet
        except ImportError as error:
            raise MissingExtra(
                "carrier='greenlets' needs the package greenlet, which is not installed",
                hint="pip install 'headway[greenlets]'",
            ) from error
        self.greenlet: Any = greenlet
        self.root: Any = None
        self.idle: list[_Carrier] = []
        self._current: Any = getcurrent
        self._ident = 0

    def adopt(self, main: Unit) -> None:
        """The calling greenlet is the scenario's own unit."""
        current = self._current()
        if current is not self.root:  # another thread, and greenlets stay in theirs
            self.root = current
            self.idle = []
        self._ident = main.ident = _get_ident()
        main.greenlet = current

    def give(self, execution: Execution, unit: Unit) -> None:
        """Prepare a unit in a greenlet that is idle."""
        carrier = self.idle.pop() if self.idle else _Carrier(self)
        carrier.task = (execution, unit)
        greenlet = carrier.greenlet
        greenlet.gr_context = None  # as of a new one: what the last unit set is not there
        unit.ident = self._ident
        unit.greenlet = greenlet

    def switch(self, execution: Execution, me: Unit, following: Unit) -> None:
        """Let another greenlet go on."""
        execution.running = following
        loop = leave() if _get_running_loop() is not None else None
        me.greenlet = self._current()  # a unit may have greenlets of its own
        following.greenlet.switch()
        if loop is not None:
            enter(loop)

    def close(self) -> None:
        """Let the idle greenlets end, if they are of the calling thread."""
        if self.root is self._current():
            while self.idle:
                self.idle.pop().greenlet.switch()
