"""POS: each announced operation has a random priority; the highest runs, and those that it disturbs draw again.

Source: Yuan, Yang, Gu, "Partial order aware concurrency sampling", CAV 2018, algorithm 1. It samples partial orders
rather than interleavings, so that switches between operations that do not touch each other are not tried over and over.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from headway.check.site import STRUCTURE
from headway.check.strategies.contract import Plain

if TYPE_CHECKING:
    from headway.check.unit import Unit

__all__ = ["POS"]


class POS(Plain):
    """Priorities of operations, not of units."""

    def __init__(self, random: Random) -> None:
        self._random = random.random

    def choose(self, enabled: list[Unit], me: Unit, default: Unit) -> Unit:
        """The highest; ties are not possible in practice."""
        best = enabled[0]
        highest = -1.0
        for unit in enabled:
            if unit.priority_step != unit.steps:
                unit.priority_step = unit.steps
                unit.priority = self._random()
            if unit.priority > highest:
                highest = unit.priority
                best = unit
        owner = best.owner
        if owner is not None:
            for unit in enabled:
                if (
                    unit.owner is owner
                    and unit is not best
                    and (unit.write or best.write)
                    and (unit.variable == best.variable or STRUCTURE in (unit.variable, best.variable))
                ):
                    unit.priority = self._random()
        return best
