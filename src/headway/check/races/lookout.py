"""The lookout: which executions of a search are watched for races, and what was seen in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.check.races.classes import LOST_UPDATE
from headway.check.races.detector import Detector

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.races.race import Race
    from headway.check.site import Site

__all__ = ["Lookout"]

FIRST = 10
"""The first few executions are watched if there is a race in the first one."""
EVERY = 16
"""And then one in so many, for a while."""
MOST = 50
"""As many in all."""
SELDOM = 64
"""One in so many is watched in any case: what a lock orders in one execution may race in another."""


class Lookout:
    """Watches a few executions. Whoever is watched runs at half the speed."""

    def __init__(self) -> None:
        self.variables: set[frozenset[Site]] = set()
        """What races, by the sites of its accesses."""
        self._races: dict[tuple[object, ...], tuple[Race, dict[tuple[int, int], int]]] = {}
        self._watched = 0

    def watcher(self, number: int) -> Detector | None:
        """For the execution of this number, from 1; None: it is not watched."""
        often = bool(self.variables) and self._watched < MOST and (number <= FIRST or number % EVERY == 2)
        if number == 1 or often or number % SELDOM == 2:
            return Detector()
        return None

    def seen(self, detector: Detector, execution: Execution) -> None:
        """An execution is over."""
        self._watched += 1
        detector.finish(execution.running)
        for race in detector.races.values():
            if race.can_go_wrong:
                self._races.setdefault(race.place, (race, execution.deviations))
        self.variables |= detector.variables

    def races(self, *, exhausted: bool) -> list[tuple[Race, dict[tuple[int, int], int]]]:
        """Those that can go wrong, and were seen to part what belongs together; each with the schedule.

        When all schedules were run and none failed, a check that another has overtaken does no harm; a lost update is
        one still.
        """
        seen = self._races.values()
        return [(race, schedule) for race, schedule in seen if not exhausted or race.kind == LOST_UPDATE]
