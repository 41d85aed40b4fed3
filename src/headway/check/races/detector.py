"""The race detector: which accesses of one execution nothing orders.

Source: FastTrack, Flanagan, Freund, "FastTrack: efficient and precise dynamic race detection", PLDI 2009: vector clocks
for units and for what they meet at, and for each variable only those accesses that later ones must be compared with.
Differs: also concurrent writes are kept, so that all places of a race are found and not only the first; a container's
structure overlaps its items; the operations of threading are not all alike (`passes`): whoever waits for an event
learns from the unit that set it, whoever takes a semaphore's permit or a queue's item from the unit that gave it; and
time that goes on because nothing could run orders what was before it, as it does in every schedule.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any

from headway.check.handovers.counting import passed
from headway.check.handovers.foreign import holds_foreign
from headway.check.races.access import Access, Owned, Owners, Variable
from headway.check.races.classes import Sections, class_of
from headway.check.races.clocks import Clock, knows, learn
from headway.check.races.race import Race
from headway.check.site import STRUCTURE

if TYPE_CHECKING:
    from headway.check.site import Site
    from headway.check.unit import Unit

__all__ = ["Detector"]

MOST_ACCESSES = 200_000
"""Accesses that are looked at in one execution."""


class Detector:
    """Watches one execution.

    What a unit announces is taken as done when the unit's next operation begins: others may run in between.
    """

    def __init__(self) -> None:
        self.races: dict[tuple[Site, Site, str], Race] = {}
        """By its places and class: one of each, in the order in which they were seen."""
        self.accesses = 0
        self.counts: dict[int, dict[Site, int]] = {}
        """How often each unit, by its number, was at each site."""
        self.starters: dict[int, int] = {}
        """Which unit has started which."""
        self.handed: dict[tuple[Site, Site], bool] = {}
        """Of places that read and then write what rests on it: was there ever a handover of the GIL in between? Known
        if handovers are counted."""
        self._clocks: list[Clock] = []
        self._passed: dict[int, _Passed] = {}
        self._held: dict[int, list[Any]] = {}
        self._pending: dict[int, tuple[int, Site, object, Hashable, bool, int | None]] = {}
        self._owners = Owners()
        self._done = 0

    @property
    def variables(self) -> set[frozenset[Site]]:
        """What races, each by the sites of its accesses; those of a container's items and structure go together."""
        found = set()
        for owned in self._owners.all:
            if owned.racing:
                structure = owned.variables.get(STRUCTURE)
                also = structure.sites if structure is not None else set()
                found |= {frozenset(each.sites | also) for each in owned.variables.values() if each.racing}
        return found

    @property
    def heart(self) -> Race | None:
        """The race that made a failing schedule fail, as far as it can be told.

        The last that parted what belongs together; or the last whose order is one that a switch has made.
        """
        races = list(reversed(self.races.values()))
        parted = (race for race in races if race.can_go_wrong)
        return next(parted, None) or next((race for race in races if race.overtaken), None)

    def finish(self, last: Unit | None = None) -> None:
        """The execution is over; `last` was running then, so what it announced was done."""
        if last is not None:
            self._settle(last)
        self._pending.clear()
        for owned in self._owners.all:
            owned.let_go()
        self._passed.clear()

    # ---- what is told ----

    def announced(self, unit: Unit) -> None:
        """What it did before is done."""
        self._settle(unit)

    def accessed(self, unit: Unit, site: Site, owner: object, name: Hashable, write: bool) -> None:
        """Likewise; this access comes when the unit goes on."""
        self._settle(unit)
        if owner is not None and self.accesses < MOST_ACCESSES:
            self.accesses += 1
            counts = self.counts.setdefault(unit.number, {})
            counts[site] = counts.get(site, 0) + 1
            self._pending[unit.number] = (self._done, site, owner, name, write, passed(unit))

    def acquired(self, unit: Unit, owner: object) -> None:
        """It knows what those know who released."""
        self._settle(unit)
        learn(self._clock(unit), self._passed_of(owner).taken())
        if hasattr(type(owner), "_is_owned"):
            self._held.setdefault(unit.number, []).append(owner)

    def released(self, unit: Unit, owner: object) -> None:
        """Those who acquire later know what it knows."""
        self._settle(unit)
        clock = self._clock(unit)
        self._passed_of(owner).given(clock)
        clock[unit.number] += 1
        for held in (self._held.get(unit.number, ()), *self._held.values()):
            if any(each is owner for each in held):
                held.remove(owner)  # type: ignore[union-attr]
                break

    def started(self, unit: Unit, child: Unit) -> None:
        """A unit begins with what its starter knows."""
        self._settle(unit)
        self.starters[child.number] = unit.number
        clock = self._clock(unit)
        learn(self._clock(child), clock)
        clock[unit.number] += 1

    def ended(self, unit: Unit) -> None:
        """What it knows stays."""
        self._settle(unit)

    def joined(self, unit: Unit, other: Unit) -> None:
        """It knows what the other did."""
        self._settle(unit)
        learn(self._clock(unit), self._clock(other))

    def elapsed(self, units: Iterable[Unit]) -> None:
        """Time has gone on for these; whatever was done before was done before that."""
        every: Clock = []
        for clock in self._clocks:
            learn(every, clock)
        for number, clock in enumerate(self._clocks):
            clock[number] += 1
        for unit in units:
            learn(self._clock(unit), every)

    # ---- what is made of it ----

    def _clock(self, unit: Unit) -> Clock:
        number = unit.number
        clocks = self._clocks
        while len(clocks) <= number:
            clocks.append([0] * len(clocks) + [1])
        return clocks[number]

    def _passed_of(self, owner: object) -> _Passed:
        known = self._passed.get(id(owner))
        if known is None:
            known = self._passed[id(owner)] = _Passed(owner)
        return known

    def _settle(self, unit: Unit) -> None:
        pending = self._pending.pop(unit.number, None)
        if pending is None:
            return
        since, site, owner, name, write, handovers = pending
        locks = tuple(self._held.get(unit.number, ()))
        clock = self._clock(unit)
        self._done += 1
        access = Access(
            unit.number, clock[unit.number], site, name, write, locks, unit.name, self._done, since
        )
        access.passed = handovers
        if handovers is not None and not write and holds_foreign(owner, name):
            access.passed = -1
        if write and name == STRUCTURE and site.kind == "item" and type(owner) is dict and owner:
            access.key = next(reversed(owner))  # it has just been put there
        self._owned(access, owner, clock)

    def _owned(self, access: Access, owner: object, clock: Clock) -> None:
        owned = self._owners.of(owner)
        own = owned.variables.get(access.name)
        if own is None:
            own = owned.variables[access.name] = Variable()
        own.sites.add(access.site)
        for variable in owned.overlapping(access.name):
            for other in variable.writes:
                if not knows(clock, other.unit, other.count):
                    variable.racing = own.racing = True
                    self._race(owned, owner, other, access)
            if access.write:
                for other in variable.reads:
                    if not knows(clock, other.unit, other.count):
                        variable.racing = own.racing = True
                        self._race(owned, owner, other, access)
        if access.write:
            own.writes = [each for each in own.writes if not knows(clock, each.unit, each.count)]
            own.writes.append(access)
        if own.reads:
            own.reads = [each for each in own.reads if not knows(clock, each.unit, each.count)]
        if not access.write:
            own.reads.append(access)
        if owned.sections is None:
            owned.sections = Sections()
        if not access.write:
            owned.sections.read(access)
            return

        def parted(read: Access, between: Access, write: Access, kind: str) -> None:
            self._keep(Race.of(kind, owner, read, between, write))

        owned.sections.written(access, clock, parted, self._closed)

    def _closed(self, read: Access, write: Access) -> None:
        if write.passed is not None:
            places = (read.site, write.site)
            self.handed[places] = self.handed.get(places, False) or read.passed != write.passed

    def _race(self, owned: Owned, owner: object, first: Access, second: Access) -> None:
        owned.racing = True
        kind = class_of(first, second)
        known = self.races.get((first.site, second.site, kind))
        if known is None or (second.since < first.number and not known.overtaken):
            self._keep(Race.of(kind, owner, first, second))

    def _keep(self, race: Race) -> None:
        key = (race.first.site, race.second.site, race.kind)
        self.races.pop(key, None)
        self.races[key] = race


class _Passed:
    """What those know who released something, for those who acquire it."""

    __slots__ = ("_all", "_each", "_free", "_how", "_owner")

    def __init__(self, owner: object) -> None:
        self._owner = owner  # kept, or another could have its identity
        self._how: str = getattr(owner, "passes", "all")  # or "last", "each"
        self._all: Clock = []
        self._each: deque[Clock] = deque()
        self._free: int = getattr(owner, "free", 0) if self._how == "each" else 0

    def given(self, clock: Clock) -> None:
        if self._how == "each":
            self._each.append(list(clock))
        elif self._how == "last":
            self._all = list(clock)
        else:
            learn(self._all, clock)

    def taken(self) -> Clock:
        if self._how != "each":
            return self._all
        if self._free:
            self._free -= 1  # it was there from the beginning, and nobody gave it
            return []
        return self._each.popleft() if self._each else []
