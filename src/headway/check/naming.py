"""What the things of a schedule are called in its report: each by one name, wherever it is told of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from headway.check.ending import describe
from headway.check.place import Place
from headway.check.unit import Unit

__all__ = ["Names", "short_name"]

_GIVEN = re.compile(r"(Thread-\d+) \(.*\)")
_FOLDERS = re.compile(r".*/")


class Names:
    """What locks are called: as in the source; `#2` is the second that is made at its place; else L1, L2 and so on.

    Args:
        things: All that are told of, in the order in which they are; only locks and the like count.
    """

    def __init__(self, things: Iterable[object]) -> None:
        places: dict[int, Place] = {}
        for thing in things:
            if isinstance(thing, Place):
                places.setdefault(id(thing), thing)
        called = {key: (place.name, place.noun, place.made_at) for key, place in places.items()}
        several = Counter(called.values())
        same: Counter[tuple[str, str, str]] = Counter()
        self._names: dict[int, str] = {}
        nameless = 0
        for key, kind in called.items():
            name = kind[0]
            if not name:
                nameless += 1
                name = f"{kind[1][0].upper()}{nameless}"
            elif several[kind] > 1:
                same[kind] += 1
                name = f"{name}#{same[kind]}"
            self._names[key] = name

    def __getitem__(self, thing: object) -> str:
        if isinstance(thing, Unit):
            return short_name(thing.name)
        return self._names.get(id(thing)) or describe(thing)

    def with_place(self, thing: object) -> str:
        """The name, and where it was made: such as `lock#2 (bank.py:14)`."""
        made_at = thing.made_at if isinstance(thing, Place) else ""
        return f"{self[thing]} ({_FOLDERS.sub('', made_at)})" if made_at else self[thing]


def short_name(unit: str) -> str:
    """A name without the function that Python adds to those that it gives itself."""
    found = _GIVEN.fullmatch(unit)
    return found[1] if found is not None else unit
