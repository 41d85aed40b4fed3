"""Greenlets on one OS thread: a switch costs less than a microsecond."""

from __future__ import annotations

import _thread
from typing import TYPE_CHECKING, Any

from headway.check.asynchronous.running import enter, leave
from headway.errors import MissingExtra

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["GreenletCarriers"]

_get_ident = _thread.get_ident


class GreenletCarriers:
    """Each unit is a greenlet. C extensions and what lies in C thread-locals see one thread."""

    name = "greenlets"

    def __init__(self) -> None:
        try:
            from greenlet import getcurrent, greenlet
        except ImportError as error:
            raise MissingExtra(
                "carrier='greenlets' needs the package greenlet, which is not installed",
                hint="pip install 'headway[greenlets]'",
            ) from error
        self._greenlet: Any = greenlet
        self._current: Any = getcurrent
        self._ident = 0

    def adopt(self, main: Unit) -> None:
        """The calling greenlet is the scenario's own unit."""
        self._ident = main.ident = _get_ident()
        main.greenlet = self._current()

    def give(self, execution: Execution, unit: Unit) -> None:
        """Prepare a unit in a greenlet of its own."""

        def run(*_: object) -> None:  # an ended greenlet hands a value on
            following = execution.body(unit)
            execution.running = following
            unit.greenlet.parent = following.greenlet  # where an ended greenlet goes on
            unit.greenlet = None

        unit.ident = self._ident
        unit.greenlet = self._greenlet(run)

    def switch(self, execution: Execution, me: Unit, following: Unit) -> None:
        """Let another greenlet go on."""
        execution.running = following
        loop = leave()
        me.greenlet = self._current()  # a unit may have greenlets of its own
        following.greenlet.switch()
        if loop is not None:
            enter(loop)

    def close(self) -> None:
        """Nothing is kept."""
