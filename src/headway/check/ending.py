"""How an execution ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headway.check.unit import Unit

__all__ = ["OK", "Blocked", "Ending", "deadlock", "livelock", "raised"]


@dataclass(frozen=True)
class Blocked:
    """A unit that waits for ever."""

    unit: str
    what: str
    """Such as `acquire lock L1 (bank.py:14)`."""
    owner: str
    """The unit that holds it; empty if nobody does or it cannot be held."""
    number: int
    """Of the unit."""
    daemon: bool
    noun: str = "thread"
    """Or `task`."""


@dataclass(frozen=True)
class Ending:
    """How an execution ended: `ok`, `exception`, `deadlock`, `lost-wakeup`, `livelock`; `cut`: the budget was first."""

    kind: str
    unit: str = ""
    """The one that raised."""
    error: BaseException | None = None
    blocked: tuple[Blocked, ...] = field(default=())
    steps: int = 0

    @property
    def failed(self) -> bool:
        """It is worth a report."""
        return self.kind not in ("ok", "cut")

    @property
    def signature(self) -> tuple[object, ...]:
        """Two endings with the same signature show the same bug."""
        if self.error is not None:
            return (self.kind, type(self.error))
        return (self.kind, tuple(sorted(blocked.number for blocked in self.blocked)))

    @property
    def cycle(self) -> list[str]:
        """Units that wait for each other, in the order of who waits for whom; empty if there is no ring."""
        waits_for = {blocked.unit: blocked.owner for blocked in self.blocked}
        for unit in waits_for:
            ring = [unit]
            while (following := waits_for.get(ring[-1])) and following not in ring:
                ring.append(following)
            if following == unit:
                return ring
        return []

    @property
    def nouns(self) -> str:
        """What those are that wait for each other."""
        cycle = self.cycle
        kinds = {f"{blocked.noun}s" for blocked in self.blocked if blocked.unit in cycle}
        return " and ".join(sorted(kinds))

    @property
    def sentence(self) -> str:
        """What happened, in one line."""
        if self.kind == "exception":
            text = str(self.error).splitlines()[0] if str(self.error) else ""
            return f"{type(self.error).__name__} in {self.unit}" + (f": {text}" if text else "")
        names = ", ".join(blocked.unit for blocked in self.blocked)
        count = len(self.blocked)
        if self.kind == "deadlock":
            cycle = self.cycle
            if len(cycle) > 1:
                return f"deadlock: {len(cycle)} {self.nouns} wait for each other: {', '.join(cycle)}"
            if cycle:
                return f"deadlock: {cycle[0]} waits for itself"
            return f"deadlock: {names} {'waits' if count == 1 else 'wait'} for ever"
        if self.kind == "lost-wakeup":
            return f"lost wake-up: {names} {'waits' if count == 1 else 'wait'} for ever, and nobody is left to wake"
        if self.kind == "livelock":
            return f"livelock: no end after {self.steps} steps with fair turns: {names}"
        return "ok"


OK = Ending("ok")


def raised(unit: Unit, error: BaseException) -> Ending:
    """A unit ended with an exception."""
    return Ending("exception", unit.name, error)


def deadlock(live: list[Unit]) -> Ending:
    """Nothing can run and no time will come. Who waits for a signal that was given when nobody waited has lost it."""
    missed = any(getattr(unit.owner, "missed", False) for unit in live if unit.kind == "wait")
    return Ending("lost-wakeup" if missed else "deadlock", blocked=_all_blocked(live))


def livelock(live: list[Unit], steps: int) -> Ending:
    """All had their turns, and there is no end."""
    return Ending("livelock", blocked=_all_blocked(live), steps=steps)


def _all_blocked(live: list[Unit]) -> tuple[Blocked, ...]:
    """Those that wait; a loop does not wait itself, the tasks in it do."""
    blocked: list[Blocked] = []
    for unit in live:
        inner: list[Blocked] | None = getattr(unit.owner, "blocked", None)
        blocked += inner or [_blocked(unit)]
    return tuple(blocked)


def _blocked(unit: Unit) -> Blocked:
    owner = getattr(unit.owner, "held_by", None)
    what = unit.kind if unit.owner is None else f"{unit.kind} {describe(unit.owner)}"
    return Blocked(unit.name, what, owner.name if owner is not None else "", unit.number, unit.daemon)


def describe(thing: object) -> str:
    """A lock, unit or the like in a few words."""
    text = getattr(thing, "described", None)
    return text if isinstance(text, str) else type(thing).__name__
