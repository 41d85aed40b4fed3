"""A race in words: what is accessed, by whom, where, and what each held."""

from __future__ import annotations

import os
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headway.check.naming import Names, short_name
from headway.check.place import short
from headway.check.races.classes import CAN_GO_WRONG
from headway.check.site import STRUCTURE

if TYPE_CHECKING:
    from headway.check.races.access import Access
    from headway.check.site import Site

__all__ = ["Race", "Side"]

_PACKAGES = ("site-packages/", "dist-packages/")


@dataclass(frozen=True)
class Side:
    """One of the accesses."""

    unit: str
    site: Site
    write: bool
    locks: tuple[object, ...]
    """What the unit held."""

    @property
    def where(self) -> str:
        """Such as `bank.py:31`; of a file in an installed package, from the package on."""
        file = short(self.site.file)
        for packages in _PACKAGES:
            file = file.rpartition(packages)[2]
        return f"{file}:{self.site.line}"

    def near(self, names: Names) -> str:
        """The same without folders, and with what was held."""
        place = f"{os.path.basename(self.site.file)}:{self.site.line}"
        return f"{place}, {self.held(names)}" if self.locks else place

    @property
    def verb(self) -> str:
        """What it does."""
        return "writes" if self.write else "reads"

    def held(self, names: Names) -> str:
        """What it held, in words."""
        return f"holding {', '.join(map(names.with_place, self.locks))}" if self.locks else "holding no lock"

    @staticmethod
    def of(access: Access) -> Side:
        """What an access was."""
        return Side(short_name(access.who), access.site, access.write, tuple(dict.fromkeys(access.locks)))


@dataclass(frozen=True)
class Race:
    """Two accesses that nothing orders; or a third that belongs to the first, and the second came in between."""

    kind: str
    """Its class: see `headway.check.races.classes`."""
    variable: str
    """Such as `Counter.value` or `an item of a dict`."""
    first: Side
    second: Side
    third: Side | None = field(default=None)
    """The write that rests on the first access, which is a read."""
    overtaken: bool = False
    """Was the second access announced before the first was done? Then a switch has put them in this order."""
    gil: bool | None = None
    """Can it go wrong with the GIL? None: not known."""

    @property
    def can_go_wrong(self) -> bool:
        """Can it go wrong on CPython, as far as its class tells?"""
        return self.kind in CAN_GO_WRONG

    @property
    def place(self) -> tuple[object, ...]:
        """Races with the same one have the same cause."""
        last = self.third or self.second
        return (self.kind, self.first.site.file, self.first.site.line, last.site.line)

    @property
    def section(self) -> tuple[Site, Site] | None:
        """Where a unit reads, and where it writes what rests on that."""
        return (self.first.site, self.third.site) if self.third is not None else None

    @property
    def locks(self) -> list[object]:
        """All that were held."""
        return [lock for side in self.sides for lock in side.locks]

    def __str__(self) -> str:
        one, two, three = self.first, self.second, self.third
        names = Names(self.locks)
        if three is None:
            return (
                f"{self.kind}: {self.variable}: {one.unit} {one.verb} it at {one.where} ({one.held(names)}), "
                f"{two.unit} {two.verb} it at {two.where} ({two.held(names)}), and nothing orders them"
            )
        if one.site.line == three.site.line:
            section = f"{one.unit} reads and writes it at {one.where} (`{one.site.text}`, {one.held(names)})"
        else:
            section = (
                f"{one.unit} reads it at {one.where} (`{one.site.text}`) and then writes it at {three.where} "
                f"(`{three.site.text}`, {three.held(names)})"
            )
        return (
            f"{self.kind}: {self.variable}: {section}; "
            f"{two.unit} can write it in between, at {two.where} ({two.held(names)}){_BUILDS[self.gil]}"
        )

    @property
    def sides(self) -> list[Side]:
        """All accesses."""
        return [side for side in (self.first, self.second, self.third) if side is not None]

    def steps(self, names: Names) -> list[str]:
        """What happened, in short lines, each with the file's name only."""
        one, two, three = self.first, self.second, self.third
        if three is None:
            return [f"{side.unit} {side.verb} it at {side.near(names)}" for side in (one, two)]
        if one.near(names) == three.near(names):
            section = f"{one.unit} reads and writes it at {three.near(names)}"
        else:
            section = f"{one.unit} reads it at {one.near(names)} and writes it at {three.near(names)}"
        return [section, f"{two.unit} writes it in between, at {two.near(names)}"]

    def told(self, names: Names) -> dict[str, Any]:
        """The same as data that JSON has."""
        return {
            "kind": self.kind,
            "variable": self.variable,
            "gil": self.gil,
            "steps": self.steps(names),
            "accesses": [
                {
                    "unit": side.unit,
                    "does": "write" if side.write else "read",
                    "file": short(side.site.file),
                    "line": side.site.line,
                    "function": side.site.function,
                    "text": side.site.text,
                    "locks": [names.with_place(lock) for lock in side.locks],
                }
                for side in self.sides
            ],
        }

    @staticmethod
    def of(kind: str, owner: object, first: Access, second: Access, third: Access | None = None) -> Race:
        """A race of these accesses to an object."""
        variable = name_of(owner, second.name if first.name == STRUCTURE else first.name, first.site)
        overtaken = third is None and second.since < first.number
        last = Side.of(third) if third is not None else None
        return Race(kind, variable, Side.of(first), Side.of(second), last, overtaken)


_BUILDS = {
    None: "",
    True: "; with the GIL, too",
    False: "; only without the GIL: nothing hands it over in between",
}


def name_of(owner: object, name: Hashable, site: Site) -> str:
    """A variable as people know it; nothing of the program's runs for it."""
    if site.kind == "attribute":
        kind = owner if isinstance(owner, type) else type(owner)
        return f"{type.__getattribute__(kind, '__name__')}.{site.name or name}"
    if site.kind == "global":
        return f"the global {site.name}"
    if site.kind == "cell":
        return f"the variable {site.name} of {site.function.rpartition('.<locals>')[0] or site.function}"
    container = type(owner).__name__
    article = "an" if container[0] in "aeiouAEIOU" else "a"
    if name == STRUCTURE:
        return f"which items {article} {container} has"
    if isinstance(name, (str, int, float, bytes, bool, tuple)):
        text = repr(name)
        return f"item {text if len(text) <= 40 else text[:39] + '…'} of {article} {container}"
    return f"an item of {article} {container}"
