"""PCT: random priorities, and a few random moments at which the unit that runs falls to the lowest.

Source: Burckhardt, Kothari, Musuvathi, Nagarakatte, "A randomized scheduler with probabilistic guarantees of finding
bugs", ASPLOS 2010, section 3. Differs: the number of steps is not given but taken from the executions before, and a
unit that gives its turn away (spins, or sleeps for 0) falls to the lowest, too: a strict priority would starve the
others.
"""

from __future__ import annotations

from math import inf
from random import Random
from typing import TYPE_CHECKING

from headway.check.strategies.contract import Plain

if TYPE_CHECKING:
    from headway.check.ending import Ending
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["PCT"]


class PCT(Plain):
    """Priorities, changed at `depth - 1` random moments."""

    def __init__(self, random: Random, depth: int = 3) -> None:
        self._random = random
        self._depth = depth
        self._length = 30
        self._count = 0
        self._priorities: dict[int, float] = {}
        self._changes: set[int] = set()
        self._lowest = 0.0

    def begin(self, execution: Execution) -> None:
        """Draw the moments."""
        self._length = max(self._length, self._count)
        self._count = 0
        self._priorities = {}
        self._lowest = 0.0
        self._changes = {self._random.randrange(self._length) for _ in range(self._depth - 1)}

    def choose(self, enabled: list[Unit], me: Unit, default: Unit) -> Unit:
        """The highest priority."""
        count = self._count = self._count + 1
        priorities = self._priorities
        best = default
        highest = -inf
        for unit in enabled:
            priority = priorities.get(unit.number)
            if priority is None:
                priority = priorities[unit.number] = 1.0 + self._random.random()
            if priority > highest:
                best, highest = unit, priority
        if count in self._changes or (default is not me and not me.inner and me in enabled):
            self._lowest -= 1.0
            priorities[best.number] = self._lowest
            best = max(enabled, key=lambda unit: priorities[unit.number])  # the first of them, as above
        return best

    def end(self, ending: Ending) -> None:
        """Nothing to learn."""
