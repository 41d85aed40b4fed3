"""Focus: the order of a few operations is drawn with equal chances, the rest is a random walk.

Source: SURW, Zhao, Wolff, Mathur, Roychoudhury, "Selectively uniform concurrency testing", ASPLOS 2025: the unit that
is to do the next of the operations that matter is drawn with weights, each unit's being how many of them it has left,
and those that it is still to start have left, so that all their orders are equally likely; units that are about to do
one, and are not drawn, wait. Differs: what matters is taken from a race detector, the places where one variable was
accessed without order, a variable at a time or all; and how many there are from the execution that it watched.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random
from typing import TYPE_CHECKING

from headway.check.strategies.contract import Plain

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.site import Site
    from headway.check.unit import Unit

__all__ = ["Focus"]

Target = frozenset["Site"]


class Focus(Plain):
    """What matters is done in a random order; `aim` says what that is. Until then it walks at random."""

    def __init__(self, random: Random) -> None:
        self._random = self.draw = random.random
        self._targets: list[Target] = []
        self._target: Target = frozenset()
        self._counts: Mapping[int, Mapping[Site, int]] = {}
        self._starters: Mapping[int, int] = {}
        self._left: dict[int, int] = {}
        self._units: list[Unit] = []
        self._known = 1
        self._drawn: Unit | None = None

    def aim(
        self,
        variables: Collection[Target],
        counts: Mapping[int, Mapping[Site, int]],
        starters: Mapping[int, int],
    ) -> None:
        """Point it at variables.

        Args:
            variables: Each by the sites where it is accessed.
            counts: How often each unit, by its number, has been at each site in some execution.
            starters: Which unit has started which.
        """
        targets = sorted(variables, key=lambda sites: sorted((site.file, site.index) for site in sites))
        every = frozenset(site for sites in targets for site in sites)
        self._targets = [*targets, every] if len(targets) > 1 else targets
        self._counts = counts
        self._starters = starters

    def begin(self, execution: Execution) -> None:
        """Take one of the targets."""
        self.draw = None if self._targets else self._random
        if self._targets:
            self._target = target = self._targets[int(self._random() * len(self._targets))]
            self._left = {
                unit: sum(times for site, times in at.items() if site in target)
                for unit, at in self._counts.items()
            }
        self._units = execution.units
        self._known = 1
        self._drawn = None

    def choose(self, enabled: list[Unit], me: Unit, default: Unit) -> Unit:
        """The unit that was drawn, or one that does nothing that matters."""
        target = self._target
        if not target:
            return enabled[int(self._random() * len(enabled))]
        drawn = self._drawn
        if self._known < len(self._units):
            self._known = len(self._units)
            if drawn is me:  # it was drawn also for what its children do
                drawn = None
        if drawn is None or drawn not in enabled:
            self._drawn = drawn = self._draw(enabled)
        able = [
            unit for unit in enabled if unit is drawn or unit.kind != "access" or unit.where not in target
        ]
        chosen = able[int(self._random() * len(able))]
        if chosen is drawn and chosen.kind == "access" and chosen.where in target:
            self._drawn = None
            self._left[chosen.number] = self._left.get(chosen.number, 0) - 1
        return chosen

    def _draw(self, units: list[Unit]) -> Unit:
        weights = {unit.number: max(0, self._left.get(unit.number, 0)) for unit in units}
        for number, left in self._left.items():
            starter = number
            while starter >= self._known and starter in self._starters:
                starter = self._starters[starter]
            if starter != number and starter in weights:
                weights[starter] += max(0, left)
        ticket = self._random() * sum(weights.values())
        for unit in units:
            ticket -= weights[unit.number]
            if ticket < 0:
                return unit
        return units[int(self._random() * len(units))]  # all have done more than was known
