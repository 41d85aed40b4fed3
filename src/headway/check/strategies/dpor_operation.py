"""Operations: what each is about, and which disturb each other, so that their order may matter.

What counts as the same: one variable, where a whole container overlaps its items; one lock, queue or the like; a unit,
for who asks for its end. Who reads or writes an attribute of an object also *adds* to what its class has under that
name: the one stands for the other while the object has none, and what is read of an object may be told as its class's.
"""

from __future__ import annotations

import weakref
from array import array
from collections import deque
from collections.abc import Hashable
from typing import Any

from headway.check.site import STRUCTURE
from headway.check.unit import Unit

__all__ = [
    "ADDS",
    "FREES",
    "READS",
    "TAKES",
    "WRITES",
    "Name",
    "Names",
    "Operation",
    "Touched",
    "default_of",
    "disturbs",
    "overlapping",
]

READS, WRITES, ADDS, FREES, TAKES = 1, 2, 4, 8, 16
"""What an operation does to what it is about. Those that add do not disturb each other, but all others. To take
is to write, and so is to free; but who waited for what was freed could not have gone before."""

Name = Hashable
"""Of an object: see `Names`. Of a unit and of what is no object: its own."""
Touched = dict[Name, dict[Hashable, int]]
"""By name and variable: what was done to it."""
_CONTAINERS = (list, dict, set, bytearray, deque, array)


class Operation:
    """What a unit does to one variable."""

    __slots__ = ("how", "name", "variable", "waits")

    def __init__(self, name: Name, variable: Hashable, how: int, *, waits: bool = False) -> None:
        self.name = name
        self.variable = variable
        self.how = how
        self.waits = waits
        """Can it be done only when another has freed what it is about?"""


def conflict(one: int, other: int) -> bool:
    """Does it matter which of these comes first?"""
    either = one | other
    return bool(either & (WRITES | FREES | TAKES)) or either & (READS | ADDS) == READS | ADDS


def overlapping(variables: dict[Hashable, Any], variable: Hashable) -> list[Any]:
    """What is known of the variables of one object that have something in common with this one."""
    if variable == STRUCTURE:
        return list(variables.values())
    return [variables[each] for each in (variable, STRUCTURE) if each in variables]


def disturbs(one: Touched, other: Touched) -> bool:
    """Does it matter which of these comes first?"""
    for name in one.keys() & other.keys():
        for variable, how in one[name].items():
            if any(conflict(how, each) for each in overlapping(other[name], variable)):
                return True
    return False


def default_of(owner: object, name: Hashable) -> type | None:
    """The class whose attribute is read while the object, or class, has none of that name itself."""
    if type(name) is not str or isinstance(owner, _CONTAINERS):
        return None
    kinds = owner.__mro__[1:] if isinstance(owner, type) else type(owner).__mro__
    return next((kind for kind in kinds if name in kind.__dict__), None)


class Names:
    """Numbers for objects, in the order in which they are met: the same in all executions up to where they part.

    They are not kept alive where that can be helped, since their end is a part of what programs do.
    """

    def __init__(self) -> None:
        self.count = 0
        self._known: dict[int, tuple[int, Any, object]] = {}

    def of(self, owner: object) -> Name:
        """The name of this object."""
        if isinstance(owner, Unit):
            return "unit", owner.number
        known = self._known.get(id(owner))
        if known is not None and (known[1]() if known[1] is not None else known[2]) is owner:
            return known[0]
        self.count += 1
        try:
            self._known[id(owner)] = (self.count, weakref.ref(owner), None)
        except TypeError:
            # Subtle: lists, dicts and cells have no weak references. Kept until the execution is over, or another
            # object could have the same identity and be taken for this one.
            self._known[id(owner)] = (self.count, None, owner)
        return self.count

    def forget(self) -> None:
        """Keep nothing of the program's alive."""
        self._known.clear()
