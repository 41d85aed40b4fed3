"""Passage: the stops of each unit of one execution, and how many handovers of the GIL it had passed by then."""

from __future__ import annotations

import os
import sys
from array import array
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from headway.check.handovers.foreign import holds_foreign
from headway.check.place import outside
from headway.check.races.access import Owned, Owners
from headway.check.site import STRUCTURE

if TYPE_CHECKING:
    from headway.check.ending import Ending
    from headway.check.execution import Execution
    from headway.check.handovers.counting import Handovers
    from headway.check.site import Site
    from headway.check.unit import Unit

__all__ = ["Forbidden", "Passage"]

_CONTAINERS = (list, dict, set, bytearray, deque, array)
_NAMED = ("attribute", "global", "cell")

Deviations = Mapping[tuple[int, int], int]
Variable = tuple[Owned, Hashable]


@dataclass(slots=True)
class _Stop:
    """A unit is about to do something."""

    number: int
    """Of its steps."""
    place: str
    """Such as `bank.py:12`."""
    variable: Variable | None
    """What it accesses; None: it is about to do something to a lock, or the like."""
    passed: int
    """Handovers, before."""
    waits: bool = False
    """It lets the GIL go here."""
    left: bool = False
    """Others ran before it was done."""


@dataclass(frozen=True)
class Forbidden:
    """A switch that the GIL does not allow: at a stop with no handover since the one before it."""

    key: tuple[int, int]
    """The unit, and its step."""
    between: tuple[str, str]
    """The places of the two stops."""


class Passage:
    """Watches one execution, while handovers are counted."""

    def __init__(self, handovers: Handovers) -> None:
        self._handovers = handovers
        self._owners = Owners()
        self._stops: dict[int, list[_Stop]] = {}
        self._touched: dict[Variable, set[int]] = {}
        self._written: set[Variable] = set()
        self._reads: dict[int, Variable] = {}
        self._foreign: dict[int, int] = {}
        """How often a unit has read what C code may have been at work on since."""
        self._live = 1
        self._last = 0
        """The unit that was seen last, if it has not ended."""

    # ---- as a watcher ----

    def announced(self, unit: Unit) -> None:
        """It is about to do something to a lock, or the like."""
        gate = unit.gate
        waits = unit.kind == "yield" or (gate is not None and gate.shut_by is not None)
        self._operation(unit, waits)

    def accessed(self, unit: Unit, site: Site, owner: object, name: Hashable, write: bool) -> None:
        """It is about to read or write a variable."""
        whole = site.kind not in _NAMED and isinstance(owner, _CONTAINERS)
        owned = self._owners.of(owner)
        variable = (owned, STRUCTURE if whole else name)
        self._touched.setdefault(variable, set()).add(unit.number)
        if write and self._live > 1:
            self._written.add(variable)
        place = f"{os.path.basename(site.file)}:{site.line}"
        self._add(unit, _Stop(unit.steps, place, variable, self._passed(unit)))
        if not write:
            self._reads[unit.number] = (owned, name)

    def acquired(self, unit: Unit, owner: object) -> None:
        """It was announced."""
        self._seen(unit)

    def released(self, unit: Unit, owner: object) -> None:
        """It counts as a stop where it is no point, too."""
        self._operation(unit, waits=False)

    def started(self, unit: Unit, child: Unit) -> None:
        """One more."""
        self._seen(unit)
        self._live += 1

    def ended(self, unit: Unit) -> None:
        """One less."""
        self._seen(unit)
        self._last = -1  # it is not left at a stop
        self._live -= 1

    def elapsed(self, units: list[Unit]) -> None:
        """Nobody did anything."""

    def joined(self, unit: Unit, other: Unit) -> None:
        """It was announced."""
        self._seen(unit)

    def finish(self, execution: Execution, ending: Ending) -> None:
        """The execution is over; nothing of the program's is kept."""
        if ending.kind == "exception":  # the unit that raised was running; it came to no other stop
            for unit in execution.units:
                if unit.name == ending.unit:
                    self._seen(unit)
                    break
        for owned in self._owners.all:
            owned.let_go()

    # ---- afterwards ----

    @property
    def forbidden(self) -> list[Forbidden]:
        """The switches that the GIL does not allow."""
        found = []
        for unit, stops in self._stops.items():
            for place, stop in enumerate(stops):
                if not stop.left or stop.waits:
                    continue
                before = self._nearest(stops, range(place - 1, -1, -1))
                after = self._nearest(stops, range(place, len(stops)))
                if before is not None and after is not None and before.passed == after.passed:
                    found.append(Forbidden((unit, stop.number), (before.place, after.place)))
        return found

    def moved(self, deviations: Deviations) -> Iterator[dict[tuple[int, int], int]]:
        """The same switches, those that the GIL does not allow sooner or later by as little as possible."""
        forbidden = {each.key for each in self.forbidden}
        ways: list[list[tuple[tuple[int, int], int]]] = []
        for key, following in sorted(deviations.items()):
            if key not in forbidden:
                ways.append([(key, following)])
                continue
            unit, number = key
            stops = self._stops[unit]
            place = next(place for place, stop in enumerate(stops) if stop.number == number)
            passed = stops[place].passed
            sooner = next(stop for stop in stops if stop.passed == passed)
            later = next((stop for stop in stops[place:] if stop.passed > passed), sooner)
            ways.append([((unit, stop.number), following) for stop in (sooner, later)])
        for chosen in product(*ways):
            yield dict(chosen)

    # ---- inner ----

    def _nearest(self, stops: Sequence[_Stop], places: Iterable[int]) -> _Stop | None:
        """The first of these that matters to others."""
        for place in places:
            variable = stops[place].variable
            if variable is None or (variable in self._written and len(self._touched[variable]) > 1):
                return stops[place]
        return None

    def _operation(self, unit: Unit, waits: bool) -> None:
        frame = outside(sys._getframe(2))
        place = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}" if frame is not None else "?"
        self._add(unit, _Stop(unit.steps, place, None, self._passed(unit), waits))

    def _passed(self, unit: Unit) -> int:
        number = unit.number
        read = self._reads.pop(number, None)
        if read is not None and holds_foreign(read[0].owner, read[1]):
            self._foreign[number] = self._foreign.get(number, 0) + 1
        return self._handovers.count(unit) + self._foreign.get(number, 0)

    def _add(self, unit: Unit, stop: _Stop) -> None:
        self._seen(unit)
        self._stops.setdefault(unit.number, []).append(stop)

    def _seen(self, unit: Unit) -> None:
        """If it is not the one that was seen last, that one was left at its last stop."""
        stops = self._stops.get(self._last)
        if stops and self._last != unit.number:
            stops[-1].left = True
        self._last = unit.number
