"""The search: execution after execution, until one fails, none is left, or the budget has ended."""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import TYPE_CHECKING, Any

from headway.check.asynchronous.scenario import runnable
from headway.check.bounds import FIRST_STEPS, MOST_STEPS
from headway.check.carriers.greenlets import GreenletCarriers
from headway.check.carriers.threads import ThreadCarriers
from headway.check.ending import raised
from headway.check.execution import Execution
from headway.check.races.lookout import Lookout
from headway.check.strategies.bounded import Bounded
from headway.check.strategies.contract import Plain, Strategy, Systematic
from headway.check.strategies.dpor import DPOR
from headway.check.strategies.focus import Focus
from headway.check.strategies.pct import PCT
from headway.check.strategies.pos import POS
from headway.check.strategies.replaying import Replaying
from headway.check.strategies.walk import Walk
from headway.check.visitor import Visitor
from headway.errors import CannotControl, ReplayDiverged

if TYPE_CHECKING:
    from headway.check.carriers.contract import Carriers
    from headway.check.ending import Ending
    from headway.check.options import Options
    from headway.check.watcher import Watcher

__all__ = ["Found", "Search"]

# Taken before anything is doubled.
_now = time.monotonic

LEARN_EVERY = 16
"""One execution in so many looks anew at what is shared."""
LEARN_FIRST = 128
"""Executions in the beginning in which all that go on from others learn, too."""
WHOLE_EVERY = 8
"""One execution in so many has a point at each access, whether or not what is accessed was seen to be shared."""
COLLECT_EVERY = 64
"""Python's collector of cycles runs between executions only: within one it would run `__del__` at moments that no
schedule fixes."""
Deviations = Mapping[tuple[int, int], int]


def _diverged(how: str) -> ReplayDiverged:
    return ReplayDiverged(
        f"the program did something else when it ran again: {how}",
        hint="does it use time, randomness, or the order of a set?",
    )


class Found:
    """An execution that failed."""

    def __init__(self, ending: Ending, deviations: dict[tuple[int, int], int], number: int) -> None:
        self.ending = ending
        self.deviations = deviations
        self.number = number
        """Of the schedule, from 1."""


class Search:
    """Runs a scenario under one schedule after the other. All its methods run in one thread."""

    def __init__(self, scenario: Callable[[], Any], options: Options, visitor: Visitor) -> None:
        self._scenario = runnable(scenario)
        self._options = options
        self._visitor = visitor
        self._carriers: Carriers = GreenletCarriers() if options.carrier == "greenlets" else ThreadCarriers()
        self._learns = options.granularity in ("access", "line")
        self._watches = options.granularity == "access"
        self.lookout = Lookout()
        self._random = Random(options.seed)
        self._focus = Focus(self._random)
        self.most_steps = MOST_STEPS
        """After which an execution is taken for one that does not end."""
        self._ends_at: float | None = None
        self.schedules = 0
        self.exhausted = False
        self.note = ""
        """If nothing is left to try, and that was less than all schedules: what it was."""
        self.releases = not self._learns
        """Releases of locks are points: at these granularities only once a unit has looked at a lock without waiting
        for it."""
        self._passing: Watcher | None = None
        self.execution: Execution | None = None
        """The one that runs, for who watches from outside."""

    def close(self) -> None:
        """No execution will follow."""
        self._carriers.close()

    def once(
        self, strategy: Strategy, watcher: Watcher | None = None, *, passing: bool = False
    ) -> tuple[Ending, Execution]:
        """Run the scenario once. `passing`: if it takes long, it need not be watched, nor learnt from, to its end."""
        execution = self.execution = Execution(self._carriers, strategy, watcher)
        execution.points_at_release = self.releases
        execution.plain = self._visitor.plain
        execution.most_steps = self.most_steps
        execution.ends_at = self._ends_at
        if passing:
            self._passing = watcher
            execution.grown_long = (
                self._let_pass
            )  # holds no reference to it: executions go at once, by their count
        return execution.run(self._scenario), execution

    def _let_pass(self) -> None:
        """It may well not end: to tell so takes half a million steps, where they take twice the time otherwise."""
        self._visitor.stop()
        if self.execution is not None and self.execution.watcher is self._passing:
            self.execution.watcher = None

    def look(self) -> Found | None:
        """Search for a schedule that fails; None: none was found."""
        options = self._options
        visitor = self._visitor
        end = None if options.seconds is None else _now() + options.seconds
        systematic: Systematic = DPOR(blind=not self._watches) if options.strategy == "dpor" else Bounded()
        whole = False  # it leaves out no access
        alone = options.strategy in ("bounded", "dpor")
        seen = -1
        self.most_steps = FIRST_STEPS
        for number, strategy in enumerate(self._strategies(systematic), 1):
            goes_on = strategy is systematic
            learns = self._learns and (
                (number - 1) % LEARN_EVERY == 0
                or (goes_on and not whole and (alone or number <= LEARN_FIRST))
            )
            if goes_on and not whole and seen != visitor.changes:
                seen = visitor.changes
                systematic.restart()
            visitor.everything = whole if goes_on else number % WHOLE_EVERY == 0
            if learns:
                visitor.learn()
            self._ends_at = end if number > 1 else None  # the first one says how long one takes
            watcher = self.lookout.watcher(number) if self._watches else None
            ending, execution = self.once(strategy, watcher, passing=True)
            if watcher is not None:
                self.lookout.seen(watcher, execution)
                self._focus.aim(self.lookout.variables, watcher.counts, watcher.starters)
            if execution.glances and not self.releases:
                self.releases = True
                systematic.restart()
                whole = False
            elif goes_on and systematic.diverged and seen == visitor.changes and not ending.failed:
                ending = raised(execution.units[0], _diverged(systematic.diverged))
            if learns:
                visitor.learnt()
            if ending.kind == "cut" and not systematic.redundant:
                return None
            self.schedules = number
            if number == 1:
                self.measure(ending, execution)
            if isinstance(ending.error, CannotControl):
                raise ending.error
            if ending.failed:
                self._ends_at = None
                return Found(ending, execution.deviations, number)
            if number == 1 and len(execution.units) == 1:  # nobody to choose from, and so one schedule
                self.exhausted = True
                return None
            if systematic.exhausted and (whole or seen == visitor.changes):
                if whole or not visitor.private:
                    self.note = systematic.note
                    self.exhausted = not self.note
                    return None
                # All schedules of what was seen to be shared. That nothing else is cannot be known so.
                whole = True
                systematic.restart()
            if number >= options.schedules or (end is not None and _now() >= end):
                return None
            if number % COLLECT_EVERY == 0:
                gc.collect(1)
        return None

    def first(self) -> None:
        """Run it undisturbed: the first execution imports and caches what later ones find, and so takes other steps."""
        self.most_steps = FIRST_STEPS
        self.measure(*self.once(Plain()))

    def measure(self, ending: Ending, execution: Execution) -> None:
        """So many steps does it take when nobody disturbs it: others may take more, but not many times as many."""
        steps = sum(unit.steps for unit in execution.units)
        self.most_steps = MOST_STEPS if ending.kind == "livelock" else max(MOST_STEPS, 20 * steps)

    def again(
        self, deviations: Deviations, watcher: Watcher | None = None, *, strict: bool = True
    ) -> tuple[Ending, Execution, Replaying]:
        """Run a schedule again."""
        strategy = Replaying(deviations, strict=strict)
        ending, execution = self.once(strategy, watcher)
        return ending, execution, strategy

    def _strategies(self, systematic: Systematic) -> Iterator[Strategy]:
        random, focus = self._random, self._focus
        walk, pos = Walk(random), POS(random)
        name = self._options.strategy
        if name in ("bounded", "dpor"):
            yield from itertools.repeat(systematic)
        yield Plain()
        if name == "walk":
            yield from itertools.repeat(walk)
        elif name == "pos":
            yield from itertools.repeat(pos)
        elif name == "pct":
            yield from itertools.repeat(PCT(random, 3))
        elif name == "focus":
            yield from itertools.repeat(focus)
        pcts = [PCT(random, depth) for depth in (2, 3, 4)]
        # Half of it where races were seen, else at random; every kind of bug of the corpus has one that it falls to.
        for pct in itertools.cycle(pcts):
            yield from (focus, focus, pct, systematic, focus, pos, focus, systematic)
