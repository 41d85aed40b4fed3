"""Who waits for whom across processes: circles in which a thread waits for what one of another process has.

What threads wait for inside of their own process is `waitfor`; what is added here are locks of `multiprocessing`, whose
owner may be anywhere, and waits for the end of a process. Without NumPy: a program that hangs is looked at with this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headway.trace.shared import Shared
from headway.trace.slots import CONDITION, LOCK, MAIN, NOBODY, PROCESS, Slot, Slots
from headway.trace.waitfor import wait_for

Node = tuple[int, int]
"""A thread: which of the processes, and its slot."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A thread that waits for what another thread, here or in another process, has or is.

    Attributes:
        node: The thread.
        kind: As `format.Kind`, LOCK to FUTURE, or PROCESS.
        lock: Index in the lock section of its process; None if it has none there.
        owner: Who has it, or the main thread of the process whose end it waits for; None: not known.
        far: It is a lock that other processes have, too, or the end of a process.
        stack: Id of its stack; 0: not known.
    """

    node: Node
    kind: int
    lock: int | None
    owner: Node | None
    far: bool
    since_ns: int
    stack: int


def circles(
    processes: Sequence[tuple[Slots, Mapping[int, Slot]]], shared: Shared
) -> list[tuple[Waiting, ...]]:
    """Threads of which each waits for the next one, and the last for the first.

    Only those in which a wait leads through the shared file or to the end of a process: others are `WaitFor.circles`.

    Args:
        processes: The process images that have not ended, and what `read()` has just given of each.
        shared: Read after these.
    Raises:
        OSError: A process's file cannot be read.
    """
    waiting: dict[Node, Waiting] = {}
    by_start = {(slots.pid, slots.start_ns): index for index, (slots, _) in enumerate(processes)}
    for index, (slots, alive) in enumerate(processes):
        for number, one in wait_for(slots, alive).blocked.items():
            owner = None if one.owner is None else (index, one.owner)
            node = (index, number)
            waiting[node] = Waiting(node, one.kind, one.lock, owner, False, one.since_ns, one.stack)
        far = {number: slot for number, slot in alive.items() if slot.afar}
        numbers = slots.shared(slot.a for slot in far.values() if slot.kind == LOCK) if far else {}
        for number, slot in far.items():
            node, owner = (index, number), None
            if slot.kind == CONDITION and slot.c == number:
                owner = node
            elif slot.kind == LOCK and slot.a in numbers:
                place = shared.owner(numbers[slot.a])
                process = by_start.get((place.pid, place.start_ns)) if place is not None else None
                owner = None if place is None or process is None else (process, place.slot)
            lock = None if slot.a == NOBODY else slot.a
            waiting[node] = Waiting(node, slot.kind, lock, owner, True, slot.since_ns, slot.b)
    waiting |= _for_processes(processes, waiting)
    return _circles(waiting)


def _for_processes(
    processes: Sequence[tuple[Slots, Mapping[int, Slot]]], waiting: Mapping[Node, Waiting]
) -> dict[Node, Waiting]:
    """Waits for the end of a process all of whose threads wait themselves: for its main thread."""
    mains = {}
    for index, (slots, alive) in enumerate(processes):
        main = next((number for number, slot in alive.items() if slot.flags & MAIN), None)
        if main is not None and all((index, number) in waiting for number in alive):
            mains[slots.pid] = (index, main)
    found = {}
    for index, (_, alive) in enumerate(processes):
        for number, slot in alive.items():
            if slot.kind == PROCESS and slot.a in mains:
                node = (index, number)
                found[node] = Waiting(node, PROCESS, None, mains[slot.a], True, slot.since_ns, slot.b)
    return found


def _circles(waiting: Mapping[Node, Waiting]) -> list[tuple[Waiting, ...]]:
    found = []
    done: set[Node] = set()
    for start in sorted(waiting):
        path: list[Node] = []
        at: Node | None = start
        while at is not None and at in waiting and at not in done:
            done.add(at)
            path.append(at)
            at = waiting[at].owner
        if at in path:
            circle = path[path.index(at) :]
            first = circle.index(min(circle))
            whole = tuple(waiting[node] for node in circle[first:] + circle[:first])
            if any(one.far for one in whole):
                found.append(whole)
    return found
