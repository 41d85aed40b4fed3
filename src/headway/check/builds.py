"""Builds: can a failing schedule happen with the GIL, too, or only on a build of CPython without it?

The schedule runs once more while handovers are counted. A switch is one that the GIL does not allow if the unit has
passed no handover since it last did something to a lock, or to a variable that others touch and that is written. If
there is such a switch, schedules that switch only at handovers are tried: one that fails in the same way is the better
report, as everybody can see it happen.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any

from headway.check.bounds import FREE_STEPS
from headway.check.execution import Execution
from headway.check.handovers.counting import Handovers, watching
from headway.check.passage import Passage
from headway.check.races.detector import Detector
from headway.check.shrink import shrink
from headway.check.strategies.bounded import Bounded
from headway.check.strategies.pct import PCT
from headway.check.strategies.pos import POS
from headway.check.strategies.replaying import Replaying
from headway.check.strategies.walk import Walk
from headway.check.watcher import Watchers

if TYPE_CHECKING:
    from headway.check.ending import Ending
    from headway.check.options import Options
    from headway.check.races.race import Race
    from headway.check.search import Search
    from headway.check.site import Site
    from headway.check.strategies.contract import Strategy
    from headway.check.unit import Unit

__all__ = ["Build", "build_of", "can_be_judged", "judged", "with_the_gil"]

# Taken before anything is doubled.
_now = time.monotonic

MOST_TRIES = 300
MOST_SECONDS = 2.0
"""To look for a schedule that the GIL allows."""
MOST_SHIFTED = 16
MOST_RACES = 12
RACE_RUNS = 12
"""Executions in which it is looked at what lies between the accesses of a race."""

Deviations = Mapping[tuple[int, int], int]


@dataclass(frozen=True)
class Build:
    """Which builds of CPython can show a schedule."""

    gil: bool
    """One with the GIL can."""
    between: tuple[str, str] = ("", "")
    """If not: the places around a switch that the GIL does not allow, such as `bank.py:12`."""
    tried: int = 0
    """How many schedules that the GIL allows were tried, and did not fail in the same way."""
    handed: Mapping[tuple[Site, Site], bool] = field(default_factory=dict, compare=False)
    """Of places that read and then write what rests on it: was there a handover in between?"""

    @property
    def lines(self) -> list[str]:
        """The same for people."""
        if self.gil:
            return ["build: CPython with the GIL can show it, too"]
        one, other = self.between
        place = f"within {one}" if one == other else f"between {one} and {other}"
        lines = ["build: this schedule needs one without the GIL:", f"  nothing hands it over {place}"]
        if self.tried:
            lines.append(f"  {self.tried} schedules that switch only where it is handed over did not show it")
        return lines

    def told(self) -> dict[str, Any]:
        """The same as data that JSON has."""
        between = list(self.between) if not self.gil else []
        return {"gil": self.gil, "between": between, "schedules": self.tried, "lines": self.lines}


def can_be_judged(execution: Execution, options: Options) -> bool:
    """Can it be told? Not of one that takes so long that its turns are given fairly: most of its switches are ours."""
    return _can_be_seen(options) and sum(unit.steps for unit in execution.units) <= FREE_STEPS


def _can_be_seen(options: Options) -> bool:
    """Can it be seen what lies between two accesses?"""
    # Greenlets do not keep the trace function that 3.11 needs.
    return options.granularity == "access" and (options.carrier == "threads" or sys.version_info >= (3, 12))


def build_of(search: Search, deviations: Deviations, ending: Ending) -> Build | None:
    """Which builds can show this schedule; None: it cannot be told."""
    with watching() as handovers:
        seen = _run(search, deviations, ending, handovers)
    return None if seen is None else seen[1]


def with_the_gil(
    search: Search, deviations: dict[tuple[int, int], int], ending: Ending, seed: int
) -> tuple[dict[tuple[int, int], int], Build | None]:
    """A schedule that fails in the same way and that the GIL allows, if one is found; else the one that is given.

    Args:
        search: Runs schedules.
        deviations: Of a schedule that fails.
        ending: How.
        seed: Of the random choices.
    Returns:
        The schedule, and which builds can show it.
    """
    with watching() as handovers:
        seen = _run(search, deviations, ending, handovers)
        if seen is None or handovers is None:
            return deviations, None
        passage, build = seen
        if build.gil:
            return deviations, build

        def fails(strategy: Strategy) -> dict[tuple[int, int], int] | None:
            again, execution = search.once(_AtHandovers(strategy, handovers))
            return execution.deviations if again.signature == ending.signature else None

        found, tried = _look(fails, passage, deviations, seed)
        if found is not None:
            found = shrink(found, lambda less: fails(Replaying(less, strict=False)))
        seen = None if found is None else _run(search, found, ending, handovers)
    if found is None:
        return deviations, replace(build, tried=tried)
    return (found, seen[1]) if seen is not None and seen[1].gil else (deviations, build)


def judged(search: Search, races: Sequence[tuple[Race, Deviations]], options: Options) -> list[Race]:
    """Races, each with the answer whether it can go wrong with the GIL.

    Args:
        search: Runs schedules.
        races: Each with the schedule under which it was seen.
        options: Of the exploration.
    """
    told = [race for race, _ in races]
    if not told or not _can_be_seen(options):
        return told
    handed: dict[tuple[Site, Site], bool] = {}
    end = _now() + MOST_SECONDS
    with watching() as handovers:
        if handovers is None:
            return told
        walk = Walk(Random(0))
        seen: list[Strategy] = [Replaying(schedule, strict=False) for _, schedule in races[:MOST_RACES]]
        for strategy in [*seen, *itertools.repeat(walk, RACE_RUNS)]:
            detector = Detector()
            search.once(strategy, detector)
            for places, was in detector.handed.items():
                handed[places] = handed.get(places, False) or was
            if _now() >= end:
                break
        if handovers.blind:
            return told
    return [
        replace(race, gil=handed.get(race.section)) if race.section is not None else race for race in told
    ]


class _AtHandovers:
    """Lets a strategy choose only where the GIL may have been handed over."""

    draw = None

    def __init__(self, strategy: Strategy, handovers: Handovers) -> None:
        self._strategy = strategy
        self._handovers = handovers
        self.begin = strategy.begin
        self.end = strategy.end

    def choose(self, enabled: list[Unit], me: Unit, default: Unit) -> Unit:
        """As the strategy does; else on and on, as long as that is possible."""
        if default is me and not self._handovers.one_more(me):
            return default
        return self._strategy.choose(enabled, me, default)


def _run(
    search: Search, deviations: Deviations, ending: Ending, handovers: Handovers | None
) -> tuple[Passage, Build] | None:
    """What the units passed; None if the schedule does not fail as it did, or not everything was seen."""
    if handovers is None:
        return None
    passage, detector = Passage(handovers), Detector()
    again, execution, _ = search.again(deviations, Watchers(passage, detector))
    passage.finish(execution, again)
    detector.finish(execution.running)
    # Tasks and greenlets switch where they say so themselves, on any build.
    if again.signature != ending.signature or handovers.blind or any(unit.inner for unit in execution.units):
        return None
    forbidden = passage.forbidden
    between = forbidden[0].between if forbidden else ("", "")
    return passage, Build(not forbidden, between, handed=detector.handed)


def _look(
    fails: Callable[[Strategy], dict[tuple[int, int], int] | None],
    passage: Passage,
    deviations: Deviations,
    seed: int,
) -> tuple[dict[tuple[int, int], int] | None, int]:
    """A schedule that fails, or None; and how many were tried."""
    end = _now() + MOST_SECONDS
    tried = 0
    for strategy in _strategies(passage, deviations, Random(seed)):
        found = fails(strategy)
        if found is not None:
            return found, tried
        tried += 1
        if tried >= MOST_TRIES or _now() >= end or getattr(strategy, "exhausted", False):
            break
    return None, tried


def _strategies(passage: Passage, deviations: Deviations, random: Random) -> Iterator[Strategy]:
    """First the schedule that is known, with the switches moved to where the GIL allows them; then any."""
    for moved in itertools.islice(passage.moved(deviations), MOST_SHIFTED):
        yield Replaying(moved, strict=False)
    bounded, walk, pos = Bounded(), Walk(random), POS(random)
    pcts = [PCT(random, depth) for depth in (2, 3, 4)]
    for pct in itertools.cycle(pcts):
        yield from (bounded, pct, bounded, pos, bounded, walk)
