"""A race in words: what is accessed, by whom, where, and what each held."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headway.check.place import short
from headway.check.races.classes import CAN_GO_WRONG
from headway.check.site import STRUCTURE

if TYPE_CHECKING:
    from headway.check.races.access import Access
    from headway.check.site import Site

__all__ = ["Race", "Side"]

_FOLDERS = re.compile(r"[^( ]*/")


@dataclass(frozen=True)
class Side:
    """One of the accesses."""

    unit: str
    site: Site
    write: bool
    locks: tuple[str, ...]
    """What the unit held, such as `lock (bank.py:14)`."""

    @property
    def where(self) -> str:
        """Such as `bank.py:31`."""
        return f"{short(self.site.file)}:{self.site.line}"

    @property
    def near(self) -> str:
        """The same without folders, and with what was held."""
        place = f"{os.path.basename(self.site.file)}:{self.site.line}"
        return f"{place}, {_FOLDERS.sub('', self.held)}" if self.locks else place

    @property
    def verb(self) -> str:
        """What it does."""
        return "writes" if self.write else "reads"

    @property
    def held(self) -> str:
        """What it held, in words."""
        return f"holding {', '.join(self.locks)}" if self.locks else "holding no lock"

    @staticmethod
    def of(access: Access) -> Side:
        """What an access was."""
        locks = tuple(dict.fromkeys(str(lock.described) for lock in access.locks))
        return Side(access.who, access.site, access.write, locks)


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

    @property
    def can_go_wrong(self) -> bool:
        """Can it go wrong on CPython, with the GIL too?"""
        return self.kind in CAN_GO_WRONG

    @property
    def place(self) -> tuple[object, ...]:
        """Races with the same one have the same cause."""
        last = self.third or self.second
        return (self.kind, self.first.site.file, self.first.site.line, last.site.line)

    def __str__(self) -> str:
        one, two, three = self.first, self.second, self.third
        if three is None:
            return (
                f"{self.kind}: {self.variable}: {one.unit} {one.verb} it at {one.where} ({one.held}), "
                f"{two.unit} {two.verb} it at {two.where} ({two.held}), and nothing orders them"
            )
        if one.site.line == three.site.line:
            section = f"{one.unit} reads and writes it at {one.where} (`{one.site.text}`, {one.held})"
        else:
            section = (
                f"{one.unit} reads it at {one.where} (`{one.site.text}`) and then writes it at {three.where} "
                f"(`{three.site.text}`, {three.held})"
            )
        return (
            f"{self.kind}: {self.variable}: {section}; "
            f"{two.unit} can write it in between, at {two.where} ({two.held})"
        )

    @property
    def sides(self) -> list[Side]:
        """All accesses."""
        return [side for side in (self.first, self.second, self.third) if side is not None]

    @property
    def steps(self) -> list[str]:
        """What happened, in short lines, each with the file's name only."""
        one, two, three = self.first, self.second, self.third
        if three is None:
            return [f"{side.unit} {side.verb} it at {side.near}" for side in (one, two)]
        if one.near == three.near:
            section = f"{one.unit} reads and writes it at {three.near}"
        else:
            section = f"{one.unit} reads it at {one.near} and writes it at {three.near}"
        return [section, f"{two.unit} writes it in between, at {two.near}"]

    def told(self) -> dict[str, Any]:
        """The same as data that JSON has."""
        return {
            "kind": self.kind,
            "variable": self.variable,
            "steps": self.steps,
            "accesses": [
                {
                    "unit": side.unit,
                    "does": "write" if side.write else "read",
                    "file": short(side.site.file),
                    "line": side.site.line,
                    "function": side.site.function,
                    "text": side.site.text,
                    "locks": list(side.locks),
                }
                for side in self.sides
            ],
        }

    @staticmethod
    def of(kind: str, owner: object, first: Access, second: Access, third: Access | None = None) -> Race:
        """A race of these accesses to an object."""
        variable = name_of(owner, second.name if first.name == STRUCTURE else first.name, first.site)
        overtaken = third is None and second.since < first.number
        return Race(
            kind, variable, Side.of(first), Side.of(second), Side.of(third) if third else None, overtaken
        )


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
