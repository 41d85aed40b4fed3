"""One execution: which unit runs, who may be next, what time it is, and how it ended.

One unit runs at a time. It comes to a point, announces the operation that it is about to do, and the execution chooses
among the units that could go on. So the choices alone decide what happens, and the same choices let it happen again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING

from headway.check.bounds import IDLE_ROUNDS, MANY_SWITCHES, MOST_STEPS, SPIN
from headway.check.doubles.thread import fresh_names
from headway.check.ending import OK, Ending, deadlock, raised
from headway.check.hook import hook
from headway.check.turns import next_turn, tally
from headway.check.unit import Gate, Unit
from headway.check.world import world

if TYPE_CHECKING:
    from headway.check.carriers.contract import Carriers
    from headway.check.strategies.contract import Strategy
    from headway.check.watcher import Watcher

__all__ = ["Execution", "Stop"]

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
        self.usual = True
        """It is not stopping, and turns are as the strategy likes."""
        self.alone = False
        """No other unit can go on until the running one does something to a lock: accesses are no choice."""
        self.points_at_release = True
        """Is the release of a lock a point? Where each shared access is one, it would tell nobody anything, unless a
        unit glances."""
        self.glances = False
        """Whether a unit looked if a lock was free, and did not wait for it: who does can tell that another has it."""
        self.plain = False
        """Nobody needs to be told of accesses to what is not shared, except a watcher; nor who has which locks."""
        self.switches = 0
        self.at_end: list[Callable[[], None]] = []
        """Called when all units have ended; may find that the scenario has failed after all."""
        self.most_steps = MOST_STEPS
        self.grown_long: Callable[[], None] | None = None
        """Called once when it has taken as many steps as others may in all."""
        self.ends_at: float | None = None
        """On the real monotonic clock; one that runs longer is cut off, and says nothing."""
        self.idle = 0
        """Times that units offered their turn since anything changed."""
        self.fair = False
        """Turns are given in order, and no longer as the strategy likes."""
        self.turn_steps = SPIN
        """Points that a turn has."""

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
        hook.plain = self if self.plain and self.watcher is None else None
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
            world.execution = hook.plain = None
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
        unit.shut_by = None
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
        self.stop()
        for unit in list(self.live):
            if not unit.done:
                self.carriers.switch(self, main, unit)

    # ---- points ----

    def arrive(self, me: Unit) -> None:
        """The running unit has announced an operation; returns when it may do it.

        Raises:
            Stop: The execution is over.
        """
        if self.usual and me.steps < me.limit and self.idle < IDLE_ROUNDS:
            # What `_next` does, for the usual case: this is where a search spends its time.
            enabled = []
            for unit in self.live:
                gate = unit.gate
                if gate is None or gate.shut_by is None:
                    enabled.append(unit)
            if len(enabled) > 1:
                self.alone = False
                default = me if me in enabled else enabled[0]
                following = self.choose(enabled, me, default)
                if following is not default:
                    self.deviations[me.number, me.steps] = following.number
                if following is me:
                    me.gate = me.deadline_ns = None
                    return
                following.limit = following.steps + self.turn_steps
            elif enabled and enabled[0] is me:
                self.alone = me.kind in _OPENS_NOTHING
                me.gate = me.deadline_ns = None
                return
            else:
                self.alone = False
                following = self._next(me)
        elif self.stopping:
            self.stopped(me)
            return
        else:
            self.alone = False
            gate = me.gate
            if (
                self.fair
                and me.steps < me.limit
                and self.idle < IDLE_ROUNDS
                and (gate is None or gate.shut_by is None)
            ):
                following = me  # its turn is not over, which `_next` would find, too
            else:
                following = self._next(me)
        if following is not me:
            self.switches += 1
            if self.switches % MANY_SWITCHES == 0:
                following.limit = 0
            self.carriers.switch(self, me, following)
        if self.stopping:  # others have run meanwhile, or there is nobody left who could
            self.stopped(me)
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
        if deadline_ns is not None and deadline_ns <= self.now_ns:  # a look, and no wait
            me.gate = me.deadline_ns = None
        self.idle = 0
        if self.watcher is not None:
            self.watcher.announced(me)
        self.arrive(me)

    def release(self, me: Unit, lock: object) -> None:
        """The running unit is about to let go of a lock: a step in any case, and a point where that is asked for.

        No turn ends here, and no time goes on: an execution is the same with points at releases and without, if nobody
        else is chosen there.
        """
        me.steps += 1
        if self.points_at_release and me.steps < me.limit and self.idle < IDLE_ROUNDS and not self.fair:
            self._announce(me, "release", lock, write=True)
        self.alone = False

    def look(self, me: Unit, kind: str, owner: object) -> None:
        """A point before an operation that changes nothing, such as `Event.is_set`."""
        me.steps += 1
        self._announce(me, kind, owner, write=False)

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
        me.limit = 0
        self.idle += 1
        self._announce(me, "yield", None, write=False)

    def _announce(self, me: Unit, kind: str, owner: object, *, write: bool) -> None:
        me.kind = kind
        me.owner = owner
        me.variable = None
        me.write = write
        if self.watcher is not None:
            self.watcher.announced(me)
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
            enabled = [unit for unit in live if (gate := unit.gate) is None or gate.shut_by is None]
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
                self.deviations[me.number, me.steps] = chosen.number
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
            chosen = default if self.fair else self.choose(units, me, default)
            if chosen is not default:
                self.deviations[me.number, me.steps] = chosen.number
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
