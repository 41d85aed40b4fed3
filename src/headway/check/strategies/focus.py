"""Focus: the order of a few operations is drawn with equal chances, the rest is a random walk.

Source: SURW, Zhao, Wolff, Mathur, Roychoudhury, "Selectively uniform concurrency testing", ASPLOS 2025: the unit that is
to do the next of the operations that matter is drawn with weights, each unit's being how many of them it has left, so
that all their orders are equally likely; units that are about to do one, and are not drawn, wait. Differs: what matters
is taken from a race detector, the places where one variable was accessed without order, a variable at a time or all,
and as long as there are none, every point; and how many are left is taken from the execution before.
"""

from __future__ import annotations

from collections.abc import Collection
from random import Random
from typing import TYPE_CHECKING

from headway.check.strategies.contract import Plain

if TYPE_CHECKING:
    from headway.check.ending import Ending
    from headway.check.execution import Execution
    from headway.check.site import Site
    from headway.check.unit import Unit

__all__ = ["Focus"]

Target = frozenset["Site"]


class Focus(Plain):
    """What matters is done in a random order; `aim` says what that is."""

    def __init__(self, random: Random) -> None:
        self._random = random.random
        self._targets: list[Target] = []
        self._target: Target = frozenset()
        self._counts: dict[Target, dict[int, int]] = {}
        self._left: dict[int, int] = {}
        self._done: dict[int, int] = {}
        self._drawn: Unit | None = None

    def aim(self, variables: Collection[Target]) -> None:
        """Point it at variables, each given by the sites where it is accessed."""
        targets = sorted(variables, key=lambda sites: sorted((site.file, site.index) for site in sites))
        every = frozenset(site for sites in targets for site in sites)
        self._targets = [*targets, every] if len(targets) > 1 else targets

    def begin(self, execution: Execution) -> None:
        """Take one of the targets."""
        if self._targets:
            self._target = self._targets[int(self._random() * len(self._targets))]
        self._left = dict(self._counts.get(self._target, {}))
        self._done = {}
        self._drawn = None

    def choose(self, enabled: list[Unit], me: Unit, default: Unit) -> Unit:
        """The unit that was drawn, or one that does nothing that matters."""
        drawn = self._drawn
        if drawn is None or drawn not in enabled:
            drawn = self._drawn = self._draw(enabled)
        target = self._target
        if target:
            able = [
                unit for unit in enabled if unit is drawn or unit.kind != "access" or unit.where not in target
            ]
            chosen = able[int(self._random() * len(able))]
        else:
            chosen = drawn
        if chosen is drawn and (not target or (drawn.kind == "access" and drawn.where in target)):
            self._drawn = None
            number = drawn.number
            self._done[number] = self._done.get(number, 0) + 1
            if number in self._left:
                self._left[number] -= 1
        return chosen

    def end(self, ending: Ending) -> None:
        """Remember how many there were, where nothing cut it short."""
        if not ending.failed:
            self._counts[self._target] = self._done

    def _draw(self, enabled: list[Unit]) -> Unit:
        # A unit of which nothing is known, or that has done more than was known, has one left.
        weights = [max(1, self._left.get(unit.number, 1)) for unit in enabled]
        ticket = self._random() * sum(weights)
        for unit, weight in zip(enabled, weights, strict=True):
            ticket -= weight
            if ticket < 0:
                return unit
        return enabled[-1]
