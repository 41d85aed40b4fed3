"""One execution: which unit runs, who may be next, what time it is, and how it ended.

One unit runs at a time. It comes to a point, announces the operation that it is about to do, and the execution chooses
among the units that could go on. So the choices alone decide what happens, and the same choices let it happen again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING

from headway.check.doubles.thread import fresh_names
from headway.check.ending import OK, Ending, deadlock, livelock, raised
from headway.check.unit import Gate, Unit
from headway.check.world import world

if TYPE_CHECKING:
    from headway.check.carriers.contract import Carriers
    from headway.check.strategies.contract import Strategy
    from headway.check.watcher import Watcher

__all__ = ["Execution", "Stop"]

# Taken before anything is doubled.
_now = time.monotonic

SPIN = 500
"""Points that a unit passes without a switch before others get a turn."""
FAIR_TURN = 50
"""The same, when turns are given fairly."""
MANY_SWITCHES = 256
"""Switches after which the turn of a unit ends at its next point. A turn begins anew with each switch: without this,
units that take turns as the strategy likes would poll for ever, and no clock would go on, nor an end be seen."""
FREE_STEPS = 10_000
"""Points of all units after which turns are given fairly, and no longer as the strategy likes."""
MOST_STEPS = 50_000
"""Points after which a program whose turns were fair makes no progress, unless it is known to take more."""
IDLE_ROUNDS = 60
"""Times that units offer their turn, and nobody changes anything, before time goes on."""
TURN = 8
"""Points that a turn of a task counts for, which runs from one `await` to the next."""
TICK_NS = 1_000_000
"""What the clock goes on by for a program that spins until it shows a later time."""
_OPENS_NOTHING = frozenset({"access", "acquire", "try", "join", "start", "is_set", "is_alive"})
"""Operations after which nobody can go on who could not before. What others do after their point may open a gate."""


def _nothing() -> None:
    pass


class Stop(BaseException):
    """The execution is over. Raised in each unit that is left, so that it unwinds."""


class Execution:
    """Runs a scenario once.

    Args:
        carriers: What units run on.
        strategy: Chooses the next unit.
        watcher: Is told of each operation; None costs nothing.
    """

    def __init__(self, carriers: Carriers, strategy: Strategy, watcher: Watcher | None = None) -> None:
        self.carriers = carriers
        self.strategy = strategy
        self.choose = strategy.choose
        self.watcher = watcher
        self.now_ns = 0
        self.units: list[Unit] = []
        self.live: list[Unit] = []
        self.awaited = 1
        """Those of them that are no daemons: when the last of these has ended, so has the execution."""
        self.running: Unit = None  # type: ignore[assignment]  # set before anything runs
        self.ident = 0
        """Of the OS thread that the running unit is on."""
        self.deviations: dict[tuple[int, int], int] = {}
        """Where the choice was not the plain one: (unit, its step) to the unit that went on."""
        self.ending: Ending | None = None
        self.stopping = False
        self.alone = False
        """No other unit can go on until the running one does something to a lock: accesses are no choice."""
        self.points_at_release = True
        self.glances = False
        """Whether a unit looked if a lock was free, and did not wait for it: who does sees the moment of a release."""
        """Is the release of a lock a point? Where each shared access is one, it would tell nobody anything."""
        self.switches = 0
        self.at_end: list[Callable[[], None]] = []
        """Called when all units have ended; may find that the scenario has failed after all."""
        self.most_steps = MOST_STEPS
        self.ends_at: float | None = None
        """On the real monotonic clock; one that runs longer is cut off, and says nothing."""
        self.idle = 0
        """Times that units offered their turn since anything changed."""
        self.fair = False
        """Turns are given in order, and no longer as the strategy likes."""
        self._turn_steps = SPIN

    # ---- the run ----

    def run(self, scenario: Callable[[], object]) -> Ending:
        """Run the scenario to its end, and all that it started."""
        main = Unit(0, "scenario", scenario)
        main.limit = SPIN
        self.units.append(main)
        self.live.append(main)
        self.running = main
        self.carriers.adopt(main)
        self.ident = main.ident
        self.strategy.begin(self)
        fresh_names()
        world.execution = self
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
        while self.at_end:
            self.at_end.pop(0)()
        if self.ending is None:
            self.ending = OK
        self.strategy.end(self.ending)
        return self.ending

    def spawn(self, name: str, run: Callable[[], object], *, daemon: bool) -> Unit:
        """A unit that can run from now on."""
        unit = Unit(len(self.units), name, run, daemon=daemon)
        unit.limit = SPIN
        self.carriers.give(self, unit)
        self.units.append(unit)
        self.live.append(unit)
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
        unit.owner = None  # the program's objects go when they would
        unit.run = _nothing
        self.live.remove(unit)
        self.awaited -= not unit.daemon
        if self.watcher is not None:
            self.watcher.ended(unit)
        return self._after(unit)

    def end(self, ending: Ending) -> None:
        """The execution is over; the first ending counts."""
        if self.ending is None:
            self.ending = ending
        self.stopping = True
        self.watcher = None  # what units do while they unwind is no part of the schedule

    def _leave(self, main: Unit) -> None:
        """The scenario's own unit has ended; the others go on."""
        main.done = True
        self.live.remove(main)
        self.awaited -= 1
        if self.watcher is not None:
            self.watcher.ended(main)
        following = self._after(main)
        if following is not main:
            self.carriers.switch(self, main, following)

    def _after(self, ended: Unit) -> Unit:
        main = self.units[0]
        self.alone = False
        if self.stopping or not self.awaited:
            return main
        ended.steps += 1
        return self._next(ended)

    def _unwind(self, main: Unit) -> None:
        """Let each unit that is left run its `finally` blocks."""
        self.stopping = True
        for unit in list(self.live):
            if not unit.done:
                self.carriers.switch(self, main, unit)

    # ---- points ----

    def arrive(self, me: Unit) -> None:
        """The running unit has announced an operation; returns when it may do it.

        Raises:
            Stop: The execution is over.
        """
        if self.stopping:
            self.stopped(me)
            return
        if me.steps < me.limit and self.idle < IDLE_ROUNDS and not self.fair:
            # What `_next` does, for the usual case: this is where a search spends its time.
            enabled = []
            for unit in self.live:
                gate = unit.gate
                if gate is None or gate(unit):
                    enabled.append(unit)
            if len(enabled) == 1 and enabled[0] is me:
                self.alone = me.kind in _OPENS_NOTHING
                me.gate = me.deadline_ns = None
                return
            self.alone = False
            if len(enabled) > 1:
                default = me if me in enabled else enabled[0]
                following = self.choose(enabled, me, default)
                if following is not default:
                    self.deviations[me.number, me.steps] = following.number
                if following is me:
                    me.gate = me.deadline_ns = None
                    return
                following.limit = following.steps + self._turn_steps
            else:
                following = self._next(me)
        else:
            self.alone = False
            following = self._next(me)
        if following is not me:
            self.switches += 1
            if self.switches % MANY_SWITCHES == 0:
                following.limit = 0
            self.carriers.switch(self, me, following)
        if self.stopping:  # mypy: others have run meanwhile, or there is nobody left who could
            self.stopped(me)  # type: ignore[unreachable]
        me.gate = me.deadline_ns = None

    def sync(
        self, me: Unit, kind: str, owner: object, gate: Gate | None = None, deadline_ns: int | None = None
    ) -> None:
        """A point before an operation on a lock, a unit, or the like. May wait: until `gate` opens, or the deadline."""
        me.steps += 1
        me.kind = kind
        me.owner = owner
        me.variable = None
        me.write = True
        me.gate = gate
        me.deadline_ns = deadline_ns
        me.timed_out = False
        if deadline_ns is not None and deadline_ns <= self.now_ns:  # a look, and no wait
            me.gate = me.deadline_ns = None
            me.timed_out = True
        self.idle = 0
        if self.watcher is not None:
            self.watcher.announced(me)
        self.arrive(me)

    def look(self, me: Unit, kind: str, owner: object) -> None:
        """A point before an operation that changes nothing, such as `Event.is_set`."""
        me.steps += 1
        me.kind = kind
        me.owner = owner
        me.variable = None
        me.write = False
        if self.watcher is not None:
            self.watcher.announced(me)
        self.arrive(me)

    def read_clock(self, me: Unit) -> int:
        """The time in ns since the start. No point, but a unit that only watches the clock makes it go on."""
        me.steps += 1
        me.read_clock = True
        if me.steps >= me.limit:
            self.look(me, "clock", None)
        return self.now_ns

    def give_way(self, me: Unit) -> None:
        """A point at which others come first, as `time.sleep(0)`."""
        me.steps += 1
        me.kind = "yield"
        me.owner = me.variable = None
        me.write = False
        self.idle += 1
        if self.watcher is not None:
            self.watcher.announced(me)
        me.limit = 0
        self.arrive(me)

    def stopped(self, me: Unit) -> None:
        """The execution is over: the calling unit unwinds.

        Raises:
            Stop: It has not begun to, or takes too long.
        """
        # A unit that unwinds passes all points, but one that goes on and on is stopped again and again.
        if not me.unwinding or me.steps > me.limit:
            me.unwinding = True
            me.limit = me.steps + 100
            raise Stop

    # ---- who is next ----

    def _next(self, me: Unit) -> Unit:
        live = self.live
        while True:
            enabled = [unit for unit in live if (gate := unit.gate) is None or gate(unit)]
            if enabled and (self.idle < IDLE_ROUNDS or not self.time_goes_on()):
                break
            self.idle = 0
            if not enabled and not self.time_goes_on():
                return self._stuck()
        default = None
        if me.steps >= me.limit:
            default = self._turn(me, enabled)
            if self.stopping:
                return self.units[0]
        chosen = enabled[0]
        if len(enabled) > 1:
            if default is None:
                default = me if me in enabled else chosen
            chosen = default if self.fair else self.choose(enabled, me, default)
            if chosen is not default:
                self.deviations[me.number, me.steps] = chosen.number
        if chosen is not me:
            chosen.limit = chosen.steps + self._turn_steps
        return chosen

    def _turn(self, me: Unit, enabled: list[Unit]) -> Unit | None:
        """It is the turn of others: they alone are left to choose from."""
        if me.read_clock:
            me.read_clock = False
            self.now_ns += TICK_NS
        if not self.tally(me):
            return None
        if len(enabled) > 1 and me in enabled:
            enabled.remove(me)
        later = [unit for unit in enabled if unit.number > me.number]
        return later[0] if later else enabled[0]

    def tally(self, me: Unit) -> bool:
        """Has it gone on for too long? Then turns are given fairly, and at last there is an end: False."""
        me.limit = me.steps + self._turn_steps
        taken = sum(unit.steps * (TURN if unit.inner else 1) for unit in self.units)
        if taken > self.most_steps:
            self.end(livelock(self.live, taken))
            return False
        if self.ends_at is not None and _now() > self.ends_at:
            self.end(Ending("cut"))
            return False
        if taken > FREE_STEPS:
            self.fair = True
            self._turn_steps = FAIR_TURN
        return True

    def pick(self, units: list[Unit], me: Unit, default: Unit) -> Unit:
        """One of several units that share a carrier, such as the tasks of a loop: a choice like any other.

        Args:
            units: Those that could go on, one at least; may lose one.
            me: The one that went on last.
            default: The choice that changes nothing.
        """
        if me.steps >= me.limit:
            self.tally(me)
            if me in units and len(units) > 1:
                units.remove(me)
                if default is me:
                    default = units[0]
        chosen = default
        if len(units) > 1:
            chosen = default if self.fair else self.choose(units, me, default)
            if chosen is not default:
                self.deviations[me.number, me.steps] = chosen.number
        if chosen is not me:
            chosen.limit = chosen.steps + self._turn_steps
        return chosen

    def time_goes_on(self) -> bool:
        """The clock jumps to the earliest deadline; all whose deadline that is can go on. False: there is none."""
        earliest = min((u.deadline_ns for u in self.live if u.deadline_ns is not None), default=None)
        if earliest is None:
            return False
        self.now_ns = max(self.now_ns, earliest)
        due = [unit for unit in self.live if unit.deadline_ns is not None and unit.deadline_ns <= self.now_ns]
        for unit in due:
            unit.gate = unit.deadline_ns = None
            unit.timed_out = True
        if self.watcher is not None:
            self.watcher.elapsed(due)
        return True

    def _stuck(self) -> Unit:
        self.end(deadlock(self.live))
        return self.units[0]
