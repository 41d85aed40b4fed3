"""Who waits for whom: the wait-for graph of a process's threads at one moment, and the circles in it.

The same graph serves a trace that has ended, where the slots say what threads did when the process was killed,
and a program that runs.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from headway.trace.slots import CONDITION, JOIN, LOCK, NOBODY, Slot, Slots


@dataclass(frozen=True, slots=True)
class Blocked:
    """A thread in a wait that only threads of its own process can end.

    Attributes:
        number: Its slot.
        kind: As `format.Kind`, LOCK to FUTURE.
        lock: Index in the lock section; None if it has none there.
        owner: Slot of the thread that has what it waits for, or is what it waits for (a join); None: not known.
        stack: Id of its stack; 0: not known.
    """

    number: int
    kind: int
    lock: int | None
    owner: int | None
    since_ns: int
    stack: int


class WaitFor:
    """The wait-for graph: each blocked thread waits for one other at most.

    Args:
        blocked: Threads that only others of their process can wake, by number.
        alive: All threads that have not ended.
    """

    def __init__(self, blocked: Mapping[int, Blocked], alive: set[int]) -> None:
        self.blocked = dict(blocked)
        self.alive = alive

    @property
    def closed(self) -> bool:
        """Whether no thread of the process can do anything, but for what comes from outside of it."""
        return bool(self.alive) and self.alive == set(self.blocked)

    def circles(self) -> list[tuple[Blocked, ...]]:
        """Threads of which each waits for the next one, and the last for the first.

        A circle is of one thread if that has itself what it waits for. Each begins with its lowest number.
        """
        found = []
        done: set[int] = set()
        for start in sorted(self.blocked):
            path: list[int] = []
            at: int | None = start
            while at in self.blocked and at not in done:
                done.add(at)
                path.append(at)
                at = self.blocked[at].owner
            if at in path:
                circle = path[path.index(at) :]
                first = circle.index(min(circle))
                found.append(tuple(self.blocked[n] for n in circle[first:] + circle[:first]))
        return found

    def behind(self, circle: tuple[Blocked, ...]) -> list[Blocked]:
        """Threads that wait for those of a circle, themselves or through others."""
        inside = {one.number for one in circle}
        held = set(inside)
        grown = True
        while grown:
            more = {n for n, one in self.blocked.items() if one.owner in held and n not in held}
            held |= more
            grown = bool(more)
        return [self.blocked[n] for n in sorted(held - inside)]


def wait_for(process: Slots, alive: Mapping[int, Slot], still: Container[int] | None = None) -> WaitFor:
    """The graph of the threads of a process.

    Args:
        process: The process.
        alive: What `process.read()` has just given.
        still: Those of them that may count as blocked; None: all.
    Raises:
        OSError: The process's file cannot be read.
    """
    waiting = {
        number: slot for number, slot in alive.items() if slot.enclosed and (still is None or number in still)
    }
    owners = process.owners(slot.a for slot in waiting.values() if slot.kind == LOCK)
    blocked = {}
    for number, slot in waiting.items():
        lock = None if slot.a == NOBODY else slot.a
        owner = None
        if slot.kind == LOCK:
            # Not who had it when the wait began: another may have been faster than this one since.
            owner = owners.get(slot.a)
        elif slot.kind == JOIN or (slot.kind == CONDITION and slot.c == number):
            owner = None if slot.c == NOBODY else slot.c
        blocked[number] = Blocked(number, slot.kind, lock, owner, slot.since_ns, slot.b)
    return WaitFor(blocked, set(alive))
