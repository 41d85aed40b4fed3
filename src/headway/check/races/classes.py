"""Classes of races: which can go wrong on CPython, and which are harmless.

CPython does each single access whole, with the GIL as well as without: a reader of a reference sees the old or the
new one, and what a container's method does happens at once. So two accesses that nothing orders are no bug in
themselves:

- `lost update` and `check-then-act`: a unit reads a variable and then writes it, and another writes it in between. What
  the second write rests on is no longer true. This can go wrong, with the GIL only if it may be handed over in between.
- `harmless publication`: one reads what the other writes, or both write. The order of a unit's own accesses is kept on
  CPython, too; languages with weaker memory models call this a data race.
- `atomic container operations`: each changes or reads a container at once. Harmless likewise.

That a read and a write of one unit could be separated does not say that another can come between them: a hand-made
lock (Dekker's, a token that goes round) prevents it with nothing but such accesses. So a race of the first kind counts
when it was seen to happen, in some schedule, and no lock and nothing else orders the write in between.

Source: to confirm a predicted race by a schedule that shows it is from Sen, "Race directed random testing of concurrent
programs", PLDI 2008. Differs: what is confirmed is not that two accesses meet, but that one parts two others.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from headway.check.races.access import overlap
from headway.check.races.clocks import Clock, knows
from headway.check.site import STRUCTURE

if TYPE_CHECKING:
    from headway.check.races.access import Access

__all__ = [
    "CAN_GO_WRONG",
    "CHECK_THEN_ACT",
    "CONTAINER",
    "LOST_UPDATE",
    "PUBLICATION",
    "Sections",
    "class_of",
]

LOST_UPDATE = "lost update"
CHECK_THEN_ACT = "check-then-act"
PUBLICATION = "harmless publication"
CONTAINER = "atomic container operations"
CAN_GO_WRONG = frozenset({LOST_UPDATE, CHECK_THEN_ACT})

_NAMED = ("attribute", "global", "cell")
_TESTS = ("if ", "while ", "elif ", "assert ", "not ")
MOST_READS = 3
MOST_BETWEEN = 8

Parted = Callable[["Access", "Access", "Access", str], None]
"""Is told of a read, the write in between, the write that rests on the read, and the class."""
Closed = Callable[["Access", "Access"], None]
"""Is told of a read, and the write that rests on it."""


class _Section:
    """A unit has read, and may be about to write."""

    __slots__ = ("between", "read")

    def __init__(self, read: Access) -> None:
        self.read = read
        self.between: list[tuple[Access, bool]] = []
        """What others wrote since, and whether the read is ordered before that."""


class Sections:
    """What the units have read of one object and not written yet, and what others have written since."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[tuple[int, Hashable], list[_Section]] = {}

    def read(self, access: Access) -> None:
        """A unit has read: what it writes next may rest on that."""
        sections = self._open.setdefault((access.unit, access.name), [])
        # Of a place that is read again and again, the last time counts.
        sections[:] = [each for each in sections if each.read.site is not access.site][-MOST_READS:]
        sections.append(_Section(access))

    def written(self, access: Access, clock: Clock, parted: Parted, closed: Closed) -> None:
        """A unit has written; `clock` is its own."""
        done = []
        for key, sections in self._open.items():
            unit, name = key
            if not overlap(name, access.name):
                continue
            if unit == access.unit:
                done.append(key)
                for section in sections:
                    self._close(section, access, clock, parted, closed)
                continue
            for section in sections:
                if len(section.between) < MOST_BETWEEN:
                    section.between.append((access, knows(clock, unit, section.read.count)))
        for key in done:
            del self._open[key]

    def _close(self, section: _Section, access: Access, clock: Clock, parted: Parted, closed: Closed) -> None:
        read = section.read
        kind = rests_on(read, access) if section.between or access.passed is not None else ""
        if not kind:
            return
        closed(read, access)
        for other, before in section.between:
            after = knows(clock, other.unit, other.count)
            if not (before and after) and _same_item(read, other, access):
                parted(read, other, access, kind)


def class_of(first: Access, second: Access) -> str:
    """The class of two accesses that nothing orders, when nothing was seen to part what belongs together."""
    named = first.site.kind in _NAMED or second.site.kind in _NAMED
    return PUBLICATION if named else CONTAINER


def rests_on(read: Access, write: Access) -> str:
    """How a write rests on a read of the same unit, as far as the source tells; empty: it need not."""
    one, two = read.site, write.site
    if one.augmented:
        same = two.augmented and one.line == two.line and one.function == two.function
        return LOST_UPDATE if same else ""
    if two.augmented and not one.text.startswith(_TESTS):
        return ""  # it rests on a read of its own
    if one.kind == "iteration" or one.file != two.file or one.function != two.function:
        return ""
    if one.line > two.line:
        return ""  # it belongs to the next round of a loop, or to another call
    if read.name == STRUCTURE and one.line != two.line and not one.text.startswith(_TESTS):
        return ""  # a length that is printed, say
    return CHECK_THEN_ACT


def _same_item(read: Access, other: Access, write: Access) -> bool:
    """Is the write in between to what was read and is written? Containers show their structure as one variable."""
    if read.name == other.name == write.name != STRUCTURE:
        return True
    if read.site.kind in _NAMED:
        return False
    item = write.key if write.key is not None else write.name
    if item != STRUCTURE or read.site.kind == "membership":
        return other.key is not None and other.key == item
    return other.key is None and read.name == STRUCTURE
