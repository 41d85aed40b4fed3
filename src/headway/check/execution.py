"""One execution: which unit runs, who may be next, what time it is, and how it ended.

One unit runs at a time. It comes to a point, announces the operation that it is about to do, and the execution chooses
among the units that could go on. So the choices alone decide what happens, and the same choices let it happen again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING

from headway.check.bounds import IDLE_ROUNDS, MOST_STEPS, SPIN
from headway.check.doubles.thread import fresh_names
from headway.check.ending import OK, Ending, deadlock, raised
from headway.check.hook import NOBODY, hook
from headway.check.points import Points, Stop, able
from headway.check.turns import next_turn, tally
from headway.check.unit import Unit
from headway.check.world import world

if TYPE_CHECKING:
    from headway.check.carriers.contract import Carriers
    from headway.check.strategies.contract import Strategy
    from headway.check.watcher import Watcher

__all__ = ["Execution", "Stop"]


def _nothing() -> None:
    pass


class Execution(Points):
    """Runs a scenario once.

    Args:
        carriers: What units run on.
        strategy: Chooses the next unit.
        watcher: Is told of each operation; None costs nothing.
    """

    glances = False
    """Whether a unit looked if a lock was free, and did not wait for it: who does can tell that another has it."""
    most_steps = MOST_STEPS
    grown_long: Callable[[], None] | None = None
    """Called once when it has taken as many steps as others may in all."""
    ends_at: float | None = None
    """On the real monotonic clock; one that runs longer is cut off, and says nothing."""

    def __init__(self, carriers: Carriers, strategy: Strategy, watcher: Watcher | None = None) -> None:
        self.carriers = carriers
        self.switch = carriers.switch
        self.strategy = strategy
        self.choose = strategy.choose
        self.draw = None
        self.watcher = watcher
        self.now_ns = 0
        self.units: list[Unit] = []
        self.live: list[Unit] = []
        """Those of them that have not ended."""
        self.present = []
        self.absent = []
        self.awaited = 1
        """Those of them that are no daemons: when the last of these has ended, so has the execution."""
        self.running: Unit = None  # type: ignore[assignment]  # set before anything runs
        self.ident = 0
        """Of the OS thread that the running unit is on."""
        self.turned = []
        self.ending: Ending | None = None
        self.stopping = False
        self.usual = True
        self.alone = False
        self.points_at_release = True
        self.plain = False
        """Nobody needs to be told of accesses to what is not shared, except a watcher; nor who has which locks."""
        self.switches = 0
        self.at_end: list[Callable[[], None]] = []
        """Called when all units have ended; may find that the scenario has failed after all."""
        self.idle = 0
        self.fair = False
        self.turn_steps = SPIN

    @property
    def deviations(self) -> dict[tuple[int, int], int]:
        """Where the choice was not the plain one: (unit, its step) to the unit that went on."""
        return {(unit, step): following for unit, step, following in self.turned}

    # ---- the run ----

    def run(self, scenario: Callable[[], object]) -> Ending:
        """Run the scenario to its end, and all that it started."""
        main = Unit(0, "scenario", scenario)
        main.limit = SPIN
        self.units.append(main)
        self.live.append(main)
        self.present.append(main)
        if not self.plain:
            main.held = set()
        self.running = main
        self.carriers.adopt(main)
        self.ident = main.ident
        self.strategy.begin(self)
        self.draw = self.strategy.draw
        fresh_names()
        world.execution = self
        if self.watcher is None:
            hook.plain = self if self.plain else NOBODY
            hook.private = self if self.plain or hook.solo else NOBODY
        try:
            try:
                if world.trace is not None:
                    sys.settrace(world.trace)
                copy_context().run(scenario)  # what it sets, the next execution must not find
            except Stop:
                pass
            except BaseException as error:
                self.end(raised(main, error))
            if world.trace is not None:
                sys.settrace(None)
            self._leave(main)
            self._unwind(main)
        finally:
            world.execution = None
            hook.plain = hook.private = NOBODY
        while self.at_end:
            self.at_end.pop(0)()
        if self.ending is None:
            self.ending = OK
        self.strategy.end(self.ending)
        return self.ending

    def spawn(self, name: str, run: Callable[[], object], *, daemon: bool) -> Unit:
        """A unit that can run from now on."""
        if hook.solo:
            hook.several()
        unit = Unit(len(self.units), name, run, daemon=daemon)
        unit.limit = SPIN
        self.carriers.give(self, unit)
        self.units.append(unit)
        self.live.append(unit)
        self.present.append(unit)
        if not self.plain:
            unit.held = set()
        self.awaited += not daemon
        if self.watcher is not None:
            self.watcher.started(self.running, unit)
        return unit

    def body(self, unit: Unit) -> Unit:
        """What a carrier does for a unit, from start to end; the unit that is to run then."""
        if not self.stopping:
            try:
                if world.trace is not None:
                    sys.settrace(world.trace)
                unit.run()
            except Stop:
                pass
            except BaseException as error:
                self.end(raised(unit, error))
        if world.trace is not None:
            sys.settrace(None)
        unit.done = True
        unit.shut_by = None
        unit.owner = None  # the program's objects go when they would
        unit.run = _nothing
        self.awaited -= not unit.daemon
        return self._after(unit)

    def end(self, ending: Ending) -> None:
        """The execution is over; the first ending counts."""
        if self.ending is None:
            self.ending = ending
        self.stop()
        self.watcher = None  # what units do while they unwind is no part of the schedule

    def stop(self) -> None:
        """Let all units unwind."""
        self.stopping = True
        self.usual = False

    def _leave(self, main: Unit) -> None:
        """The scenario's own unit has ended; the others go on."""
        main.done = True
        main.shut_by = None
        main.owner = None
        self.awaited -= 1
        following = self._after(main)
        if following is not main:
            self.switch(self, main, following)

    def _after(self, ended: Unit) -> Unit:
        main = self.units[0]
        self.live.remove(ended)
        if self.absent:
            absent = self.absent = [unit for unit in self.absent if unit.owner is not ended]
            self.present = [unit for unit in self.live if unit not in absent]
        else:
            self.present.remove(ended)
        if self.watcher is not None:
            self.watcher.ended(ended)
        self.alone = False
        if self.stopping or not self.awaited:
            return main
        ended.steps += 1
        return self.following(ended)

    def _unwind(self, main: Unit) -> None:
        """Let each unit that is left run its `finally` blocks."""
        self.stop()
        for unit in list(self.live):
            if not unit.done:
                self.switch(self, main, unit)

    # ---- who is next ----

    def following(self, me: Unit) -> Unit:
        """Who is next, when the running unit has come to a point or has ended."""
        while True:
            enabled = able(self.live)
            if enabled and (self.idle < IDLE_ROUNDS or not self.time_goes_on()):
                break
            self.idle = 0
            if not enabled and not self.time_goes_on():
                return self._stuck()
        default = None
        if me.steps >= me.limit:
            default = next_turn(self, me, enabled)
            if self.stopping:
                return self.units[0]
        chosen = enabled[0]
        if len(enabled) > 1:
            if default is None:
                default = me if me in enabled else chosen
            chosen = default if self.fair else self.choose(enabled, me, default)
            if chosen is not default:
                self.turned.append((me.number, me.steps, chosen.number))
        if chosen is not me:
            chosen.limit = chosen.steps + self.turn_steps
        return chosen

    def pick(self, units: list[Unit], me: Unit, default: Unit) -> Unit:
        """One of several units that share a carrier, such as the tasks of a loop: a choice like any other.

        Args:
            units: Those that could go on, one at least; may lose one.
            me: The one that went on last.
            default: The choice that changes nothing.
        """
        if me.steps >= me.limit:
            tally(self, me)
            if me in units and len(units) > 1:
                units.remove(me)
                if default is me:
                    default = units[0]
        chosen = default
        if len(units) > 1:
            draw = self.draw
            if self.fair:
                chosen = default
            elif draw is None:
                chosen = self.choose(units, me, default)
            else:
                chosen = units[int(draw() * len(units))]
            if chosen is not default:
                self.turned.append((me.number, me.steps, chosen.number))
        if chosen is not me:
            chosen.limit = chosen.steps + self.turn_steps
        return chosen

    def time_goes_on(self) -> bool:
        """The clock jumps to the earliest deadline; all whose deadline that is can go on. False: there is none."""
        waiting = [unit for unit in self.live if unit.deadline_ns is not None]
        if not waiting:
            return False
        deadlines: list[int] = [unit.deadline_ns for unit in waiting]  # type: ignore[misc]  # of all these there is one
        now = self.now_ns = max(self.now_ns, min(deadlines))
        due = [unit for unit, deadline in zip(waiting, deadlines, strict=True) if deadline <= now]
        for unit in due:
            unit.gate = unit.deadline_ns = None
        if self.watcher is not None:
            self.watcher.elapsed(due)
        return True

    def _stuck(self) -> Unit:
        self.end(deadlock(self.live))
        return self.units[0]
