"""The record of one execution: what each unit did, where, and in which order."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.check.ending import describe
from headway.check.place import outside, short

if TYPE_CHECKING:
    from headway.check.site import Site
    from headway.check.unit import Unit

__all__ = ["Recorder", "Step"]


@dataclass
class Step:
    """A unit has come to a point."""

    unit: int
    name: str
    kind: str
    what: str
    file: str
    line: int
    text: str
    write: bool = False


class Recorder:
    """Keeps the steps in the order in which they were done."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.names: dict[int, str] = {0: "scenario"}
        self._pending: dict[int, Step] = {}

    def announced(self, unit: Unit) -> None:
        """It is done later, when the unit is chosen: what it announced before has been."""
        frame = outside(sys._getframe(2))
        file, line = (frame.f_code.co_filename, frame.f_lineno) if frame is not None else ("", 0)
        what = unit.kind if unit.owner is None else f"{unit.kind} {describe(unit.owner)}"
        self._come(unit, Step(unit.number, unit.name, unit.kind, what, short(file), line, _line(file, line)))

    def accessed(self, unit: Unit, site: Site, owner: object, name: Hashable, write: bool) -> None:
        """Likewise."""
        verb = "write" if write else "read"
        what = f"{verb} {site.name}" if site.kind != "line" else "line"
        self._come(
            unit, Step(unit.number, unit.name, "access", what, short(site.file), site.line, site.text, write)
        )

    def _come(self, unit: Unit, step: Step) -> None:
        self.settle(unit)
        self._pending[unit.number] = step

    def settle(self, unit: Unit) -> None:
        """What the unit announced last has happened by now."""
        self.names[unit.number] = unit.name
        step = self._pending.pop(unit.number, None)
        if step is not None:
            self.steps.append(step)

    def acquired(self, unit: Unit, owner: object) -> None:
        """Done."""
        self.settle(unit)

    def released(self, unit: Unit, owner: object) -> None:
        """Done."""
        self.settle(unit)

    def started(self, unit: Unit, child: Unit) -> None:
        """A unit is there."""
        self.names[child.number] = child.name

    def ended(self, unit: Unit) -> None:
        """Its last step was done."""
        self.settle(unit)

    def joined(self, unit: Unit, other: Unit) -> None:
        """Done."""
        self.settle(unit)

    def left(self) -> list[Step]:
        """What units had announced and could not do."""
        return list(self._pending.values())


def _line(file: str, line: int) -> str:
    return linecache.getline(file, line).strip() if file else ""
