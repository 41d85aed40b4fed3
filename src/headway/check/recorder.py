"""The record of one execution: what each unit did, where, and in which order."""

from __future__ import annotations

import linecache
import sys
import weakref
from array import array
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from types import CellType
from typing import TYPE_CHECKING, Any

from headway.check.place import outside, short
from headway.check.site import STRUCTURE

if TYPE_CHECKING:
    from headway.check.site import Site
    from headway.check.unit import Unit

__all__ = ["Hold", "Recorder", "Step", "value_of"]

MOST_STEPS = 5000
"""Kept; of a longer execution these are the last ones."""
_CONTAINERS = (list, dict, set, bytearray, deque, array)
_NAMED = ("attribute", "global", "cell")
_PLAIN = (int, float, complex, str, bytes, bool, type(None))
_LONGEST_VALUE = 40
_NOTHING: Any = object()


@dataclass(slots=True)
class Step:
    """A unit has come to a point, and done what it announced there, or waits to do it."""

    unit: int
    number: int
    """Of the unit's steps; the schedule's choices are keyed by it."""
    kind: str
    thing: object
    """The lock, unit or the like; None for accesses."""
    file: str
    line: int
    text: str
    site: int = -1
    """Of an access: its number in the file."""
    variable: tuple[int, Hashable] | None = None
    label: str = ""
    """What people call the variable."""
    write: bool = False
    value: str = ""
    """Of the variable, after the step; empty if it is not a plain one."""
    alone: bool = False
    """No other unit was there."""
    got: bool = False
    """A lock was taken, a wait has ended as it should."""
    makes: bool = False
    """A constructor gives a variable a value."""


@dataclass(slots=True)
class Hold:
    """A unit has a lock."""

    unit: int
    lock: object
    file: str
    line: int


class Recorder:
    """Keeps the steps in the order in which they were done. Lives as long as one execution and its report."""

    def __init__(self) -> None:
        self.steps: deque[Step] = deque(maxlen=MOST_STEPS)
        self.count = 0
        """All steps, also those that were not kept."""
        self.names: dict[int, str] = {0: "scenario"}
        self.held: dict[int, Hold] = {}
        """By the identity of the lock."""
        self._live = 1
        self._short: dict[str, str] = {}
        self._pending: dict[int, Step] = {}
        # What was accessed, to be asked for its value. Not kept alive where it can be helped: an object's end is a
        # part of what the program does.
        self._accessed: dict[int, Any] = {}

    # ---- as a watcher ----

    def announced(self, unit: Unit) -> None:
        """It is done later, when the unit is chosen: what it announced before has been."""
        if unit.kind in ("turn", "wait") and hasattr(unit.owner, "blocked"):  # a loop: its tasks tell more
            self._settle(unit)
            return
        self._come(self._inner(unit), self._step(unit, unit.kind, unit.owner))

    def accessed(self, unit: Unit, site: Site, owner: object, name: Hashable, write: bool) -> None:
        """Likewise."""
        unit = self._inner(unit)
        step = Step(
            unit.number, unit.steps, "access", None, self._file(site.file), site.line, site.text, write=write
        )
        step.site = site.index
        step.alone = self._live == 1
        step.makes = write and site.function.rpartition(".")[2] == "__init__"
        if site.kind == "line":
            step.kind = "line"
        else:
            whole = site.kind not in _NAMED and isinstance(owner, _CONTAINERS)
            step.variable = (id(owner), STRUCTURE if whole else name)
            step.label = _label(site, name)
        self._come(unit, step)
        try:
            self._accessed[unit.number] = (weakref.ref(owner), name)
        except TypeError:
            self._accessed[unit.number] = (lambda: owner, name)

    def acquired(self, unit: Unit, owner: object) -> None:
        """Done."""
        holds = getattr(owner, "held_by", None) is unit
        unit = unit.inner_unit or unit
        step = self._pending.get(unit.number)
        if step is not None and step.thing is owner:
            step.got = True
            if holds:
                self.held[id(owner)] = Hold(unit.number, owner, step.file, step.line)
        self._settle(unit)

    def released(self, unit: Unit, owner: object) -> None:
        """Done, or about to be."""
        unit = unit.inner_unit or unit
        hold = self.held.get(id(owner))
        if getattr(owner, "held_by", None) is None:
            self.held.pop(id(owner), None)
        step = self._pending.get(unit.number)
        if hold is not None and not (step is not None and step.thing is owner and step.kind == "release"):
            self._settle(unit)  # where a release is no point of its own
            self._keep(self._step(unit, "release", owner))

    def started(self, unit: Unit, child: Unit) -> None:
        """A unit is there."""
        self._live += 1
        self.names[child.number] = child.name

    def ended(self, unit: Unit) -> None:
        """Its last step was done."""
        self._live -= 1
        self._settle(unit)

    def elapsed(self, units: list[Unit]) -> None:
        """No step of anybody's."""

    def joined(self, unit: Unit, other: Unit) -> None:
        """Done."""
        unit = unit.inner_unit or unit
        step = self._pending.get(unit.number)
        if step is not None:
            step.got = True
        self._settle(unit)

    # ---- afterwards ----

    def finish(self, failed: str) -> list[Step]:
        """What units had announced and could not do.

        Args:
            failed: The unit that raised, whose last step was done; or nothing.
        """
        for number in [number for number in self._pending if self.names.get(number) == failed]:
            self._settle_number(number)
        return [self._pending[number] for number in sorted(self._pending)]

    # ---- inner ----

    def _inner(self, unit: Unit) -> Unit:
        """Who does it; then its carrier has done what it was about to do."""
        if unit.inner_unit is None:
            return unit
        self._settle(unit)
        return unit.inner_unit

    def _step(self, unit: Unit, kind: str, thing: object) -> Step:
        at: tuple[str, int] | None = getattr(unit, "at", None)
        frame = outside(sys._getframe(2)) if at is None else None
        file, line = (frame.f_code.co_filename, frame.f_lineno) if frame is not None else at or ("", 0)
        text = linecache.getline(file, line).strip() if file else ""
        unit = unit.inner_unit or unit
        return Step(unit.number, unit.steps, kind, thing, self._file(file), line, text)

    def _file(self, file: str) -> str:
        known = self._short.get(file)
        if known is None:
            known = self._short[file] = short(file)
        return known

    def _come(self, unit: Unit, step: Step) -> None:
        self._settle(unit)
        self._pending[unit.number] = step

    def _settle(self, unit: Unit) -> None:
        self.names[unit.number] = unit.name
        self._settle_number(unit.number)

    def _settle_number(self, number: int) -> None:
        step = self._pending.pop(number, None)
        accessed = self._accessed.pop(number, None)
        if step is None:
            return
        if accessed is not None and step.kind == "access":
            owner, name = accessed
            step.value = _value(owner(), name)
        self._keep(step)

    def _keep(self, step: Step) -> None:
        self.count += 1
        self.steps.append(step)


def _label(site: Site, name: Hashable) -> str:
    if site.kind in _NAMED:
        return site.name or str(name)
    return "" if name == STRUCTURE else f"[{name!r}]"


def _value(owner: Any, name: Hashable) -> str:
    """What a variable holds, in words."""
    if not isinstance(owner, CellType) and isinstance(owner, _CONTAINERS) and name == STRUCTURE:
        size = _length(owner)
        return "" if size is None else f"{size} item{'' if size == 1 else 's'}"
    return _short(value_of(owner, name))


def value_of(owner: Any, name: Hashable) -> Any:
    """What a variable holds, found without running any code of the program; an object of ours if that is not known."""
    if isinstance(owner, CellType):
        try:
            return owner.cell_contents
        except ValueError:
            return _NOTHING
    if isinstance(owner, dict):
        return dict.__getitem__(owner, name) if name in dict.keys(owner) else _NOTHING
    if type(owner) is list and isinstance(name, int):
        return owner[name] if -len(owner) <= name < len(owner) else _NOTHING
    return _attribute(owner, name) if isinstance(name, str) else _NOTHING


def _length(owner: Any) -> int | None:
    kinds: tuple[Any, ...] = _CONTAINERS
    return next((int(kind.__len__(owner)) for kind in kinds if isinstance(owner, kind)), None)


def _attribute(owner: Any, name: str) -> Any:
    if isinstance(owner, type):
        return type.__getattribute__(owner, "__dict__").get(name, _NOTHING)
    try:
        inner = object.__getattribute__(owner, "__dict__")
        if type(inner) is dict and name in inner:
            return inner[name]
    except AttributeError:
        pass
    for kind in type(owner).__mro__:
        slot: Any = kind.__dict__.get(name)
        if type(slot).__name__ == "member_descriptor":
            try:
                return slot.__get__(owner)
            except AttributeError:
                return _NOTHING
        if slot is not None:  # the default that a class has for its objects
            return slot if not any("__get__" in base.__dict__ for base in type(slot).__mro__) else _NOTHING
    return _NOTHING


def _short(value: Any) -> str:
    if type(value) is int and value.bit_length() > 256:
        return ""
    if type(value) in _PLAIN:
        text = repr(value[:_LONGEST_VALUE]) if isinstance(value, str | bytes) else repr(value)
    elif _is_plain(value):
        text = repr(value)
    else:
        return ""
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _is_plain(value: Any) -> bool:
    """A small container of what can be shown."""
    if type(value) not in (list, dict, set, tuple, deque):
        return False
    if type(value) in (list, tuple) and len(value) <= 6:
        return all(type(item) in _PLAIN for item in value)
    return not value
