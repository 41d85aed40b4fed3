"""An access that was done, and the variables of the objects that are accessed."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, Any

from headway.check.site import STRUCTURE

if TYPE_CHECKING:
    from headway.check.site import Site

__all__ = ["Access", "Owned", "Owners", "Variable", "overlap"]

MOST_NAMES = 300
"""Names of one owner up to which its structure is compared with each; a container with more is large, and its items are
compared with themselves."""


def overlap(one: Hashable, other: Hashable) -> bool:
    """Do these names of one owner stand for something in common?"""
    return one in (other, STRUCTURE) or other == STRUCTURE


class Access:
    """A unit has read or written a variable."""

    __slots__ = ("count", "key", "locks", "name", "number", "passed", "since", "site", "unit", "who", "write")

    def __init__(
        self,
        unit: int,
        count: int,
        site: Site,
        name: Hashable,
        write: bool,
        locks: tuple[Any, ...] = (),
        who: str = "",
        number: int = 0,
        since: int = 0,
    ) -> None:
        self.unit = unit
        self.count = count
        """What its unit's own clock showed."""
        self.site = site
        self.name = name
        self.write = write
        self.locks = locks
        """What the unit held."""
        self.who = who
        """The unit's name."""
        self.number = number
        """Of the accesses of an execution, in the order in which they were done."""
        self.since = since
        """How many others had been done when the unit came to it."""
        self.key: Hashable = None
        """For a new item of a dict: its key."""
        self.passed: int | None = None
        """How many handovers of the GIL its unit had passed before, if they were counted. Negative: what was read may
        have let the GIL go since."""

    def __repr__(self) -> str:
        verb = "writes" if self.write else "reads"
        return f"<{self.number}: unit {self.unit} {verb} {self.name!r} at {self.site.file}:{self.site.line}>"


class Variable:
    """The accesses to one variable that later ones must be compared with: none of them is before another.

    Whatever races with one that was left out races also with the one that took its place.
    """

    __slots__ = ("racing", "reads", "sites", "writes")

    def __init__(self) -> None:
        self.reads: list[Access] = []
        self.writes: list[Access] = []
        self.sites: set[Site] = set()
        self.racing = False


class Owned:
    """An object, and its variables."""

    __slots__ = ("_kept", "_ref", "described", "racing", "sections", "variables")

    def __init__(self, owner: object, gone: Callable[[Any], None]) -> None:
        self._kept: object = None
        self._ref: weakref.ref[Any] | None = None
        try:
            self._ref = weakref.ref(owner, gone)
        except TypeError:
            # Subtle: lists, dicts and cells have no weak references. Kept for the execution, or another object could
            # have the same identity and be taken for this one.
            self._kept = owner
        self.described = ""
        self.variables: dict[Hashable, Variable] = {}
        self.sections: Any = None
        """What its readers may be about to write; see `headway.check.races.classes`."""
        self.racing = False

    def let_go(self) -> None:
        """Keep nothing of the program's alive."""
        self._kept = None
        self.sections = None

    @property
    def owner(self) -> object:
        """The object; None if it is gone."""
        return self._ref() if self._ref is not None else self._kept

    def is_(self, owner: object) -> bool:
        """Is it still this object?"""
        return self.owner is owner

    def overlapping(self, name: Hashable) -> Iterator[Variable]:
        """The variables that an access by this name touches."""
        if name == STRUCTURE:
            if len(self.variables) <= MOST_NAMES:
                yield from self.variables.values()
                return
        else:
            structure = self.variables.get(STRUCTURE)
            if structure is not None:
                yield structure
        own = self.variables.get(name)
        if own is not None:
            yield own


class Owners:
    """The objects that were accessed in one execution, by identity."""

    def __init__(self) -> None:
        self._known: dict[int, Owned] = {}
        self.all: list[Owned] = []
        """Also those that are gone."""

    def of(self, owner: object) -> Owned:
        """An object's variables."""
        identity = id(owner)
        known = self._known.get(identity)
        if known is None or not known.is_(owner):
            known = self._known[identity] = Owned(owner, lambda _: self._gone(identity, _))
            self.all.append(known)
        return known

    def _gone(self, identity: int, ref: Any) -> None:
        known = self._known.get(identity)
        if known is not None and known._ref is ref:
            del self._known[identity]
