"""Random walk: any unit, with equal chances, at each point."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from headway.check.strategies.contract import Plain

if TYPE_CHECKING:
    from headway.check.unit import Unit

__all__ = ["Walk"]


class Walk(Plain):
    """Any unit, with equal chances."""

    def __init__(self, random: Random) -> None:
        self.draw = self._random = random.random

    def choose(self, enabled: list[Unit], me: Unit, default: Unit) -> Unit:
        """Any."""
        return enabled[int(self._random() * len(enabled))]
