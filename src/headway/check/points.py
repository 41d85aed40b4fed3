"""Points: where a unit says what it is about to do, and goes on when it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from headway.check.bounds import IDLE_ROUNDS, MANY_SWITCHES

if TYPE_CHECKING:
    from headway.check.unit import Gate, Unit
    from headway.check.watcher import Watcher

__all__ = ["Points", "Stop", "able"]

_OPENS_NOTHING = frozenset({"access", "acquire", "try", "join", "start", "is_set", "is_alive"})
"""Operations after which nobody can go on who could not before. What others do after their point may open a gate."""


class Stop(BaseException):
    """The execution is over. Raised in each unit that is left, so that it unwinds."""


def able(units: list[Unit]) -> list[Unit]:
    """Those that could go on."""
    return [unit for unit in units if (gate := unit.gate) is None or gate.shut_by is None]


class Points:
    """What the units of an execution come to. The rest of it is in `headway.check.execution`."""

    switch: Callable[..., None]
    """The carriers' own: stops the running unit and lets another run, until somebody switches back."""
    watcher: Watcher | None
    choose: Callable[[list[Unit], Unit, Unit], Unit]
    draw: Callable[[], float] | None
    """In place of `choose`, if the strategy likes any unit as much as another."""
    now_ns: int
    present: list[Unit]
    """Units that have not ended and do not wait, for as long as it takes, for the end of another: who could go on."""
    absent: list[Unit]
    """Those that do."""
    turned: list[tuple[int, int, int]]
    """Where the choice was not the plain one: the unit, its step, and the unit that went on."""
    switches: int
    stopping: bool
    usual: bool
    """It is not stopping, and turns are as the strategy likes."""
    alone: bool
    """No other unit can go on until the running one does something to a lock: accesses are no choice."""
    points_at_release: bool
    """Is the release of a lock a point? Where each shared access is one, it would tell nobody anything, unless a
    unit glances."""
    idle: int
    """Times that units offered their turn since anything changed."""
    fair: bool
    """Turns are given in order, and no longer as the strategy likes."""
    turn_steps: int
    """Points that a turn has."""

    def following(self, me: Unit) -> Unit:
        """Who is next, when the running unit has come to a point or has ended."""
        raise NotImplementedError

    def arrive(self, me: Unit) -> None:
        """The running unit has announced an operation; returns when it may do it.

        Raises:
            Stop: The execution is over.
        """
        if self.usual and me.steps < me.limit and self.idle < IDLE_ROUNDS:
            # What `following` does, for the usual case: this is where a search spends its time.
            enabled = self.present
            for unit in enabled:
                gate = unit.gate
                if gate is not None and gate.shut_by is not None:
                    enabled = able(enabled)
                    break
            if len(enabled) > 1:
                self.alone = False
                default = me if me in enabled else enabled[0]
                draw = self.draw
                following = (
                    self.choose(enabled, me, default) if draw is None else enabled[int(draw() * len(enabled))]
                )
                if following is not default:
                    self.turned.append((me.number, me.steps, following.number))
                if following is me:
                    me.gate = me.deadline_ns = None
                    return
                following.limit = following.steps + self.turn_steps
            elif enabled:
                following = enabled[0]
                if following is me:
                    self.alone = me.kind in _OPENS_NOTHING
                    me.gate = me.deadline_ns = None
                    return
                self.alone = False
                following.limit = following.steps + self.turn_steps
            else:
                self.alone = False
                following = self.following(me)
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
                following = me  # its turn is not over, which `following` would find, too
            else:
                following = self.following(me)
        if following is not me:
            self.switches += 1
            if self.switches % MANY_SWITCHES == 0:
                following.limit = 0
            self.switch(self, me, following)
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

    def join(self, me: Unit, other: Unit, deadline_ns: int | None) -> None:
        """A point before the end of another unit is waited for."""
        if self.usual and deadline_ns is None and not other.done:
            self.present.remove(me)
            self.absent.append(me)
        self.sync(me, "join", other, other, deadline_ns)

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
