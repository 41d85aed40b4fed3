"""Who is told of each operation of an execution: the race detector, and the record of a failing schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable

    from headway.check.site import Site
    from headway.check.unit import Unit

__all__ = ["Watcher", "Watchers"]


class Watcher(Protocol):
    """Is called in the running unit, before the operation unless said otherwise. Must not come to a point itself."""

    def announced(self, unit: Unit) -> None:
        """A unit is about to do `unit.kind` with `unit.owner`, when it is chosen."""

    def accessed(self, unit: Unit, site: Site, owner: object, name: Hashable, write: bool) -> None:
        """A unit reads or writes a variable now."""

    def acquired(self, unit: Unit, owner: object) -> None:
        """After: what others did before they released `owner` has happened before what this unit does now."""

    def released(self, unit: Unit, owner: object) -> None:
        """What this unit has done so far happens before what those do who acquire `owner` later."""

    def started(self, unit: Unit, child: Unit) -> None:
        """A unit has made another."""

    def ended(self, unit: Unit) -> None:
        """A unit has done its last step."""

    def elapsed(self, units: list[Unit]) -> None:
        """Nothing could run, so time has gone on until these can."""

    def joined(self, unit: Unit, other: Unit) -> None:
        """A unit has waited for another's end."""


class Watchers:
    """Several that watch one execution: each is told of everything, in their order."""

    def __init__(self, *watchers: Watcher) -> None:
        self._all = watchers

    def announced(self, unit: Unit) -> None:
        """Tells each."""
        for watcher in self._all:
            watcher.announced(unit)

    def accessed(self, unit: Unit, site: Site, owner: object, name: Hashable, write: bool) -> None:
        """Tells each."""
        for watcher in self._all:
            watcher.accessed(unit, site, owner, name, write)

    def acquired(self, unit: Unit, owner: object) -> None:
        """Tells each."""
        for watcher in self._all:
            watcher.acquired(unit, owner)

    def released(self, unit: Unit, owner: object) -> None:
        """Tells each."""
        for watcher in self._all:
            watcher.released(unit, owner)

    def started(self, unit: Unit, child: Unit) -> None:
        """Tells each."""
        for watcher in self._all:
            watcher.started(unit, child)

    def ended(self, unit: Unit) -> None:
        """Tells each."""
        for watcher in self._all:
            watcher.ended(unit)

    def elapsed(self, units: list[Unit]) -> None:
        """Tells each."""
        for watcher in self._all:
            watcher.elapsed(units)

    def joined(self, unit: Unit, other: Unit) -> None:
        """Tells each."""
        for watcher in self._all:
            watcher.joined(unit, other)
