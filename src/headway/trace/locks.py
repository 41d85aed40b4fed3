"""Locks: which cost most, where they were made, and who waited for whom. Exact for the whole run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from headway.trace.format import Kind
from headway.trace.model import Process, Thread, Trace
from headway.trace.stacks import Frame, own_frame, short_path

_FACTORY = re.compile(r"^BaseContext\.(\w+)$")
_CLASS = re.compile(r"^(\w+)\.__init__$")


@dataclass(slots=True)
class Edge:
    """How often and how long one thread waited for a lock that another held; None: not known who."""

    waiter: Thread | None
    owner: Thread | None
    waits: int = 0
    wait_ns: int = 0


@dataclass(slots=True)
class Lock:
    """A lock that threads waited for. Waits that had not ended when the trace did are included.

    Attributes:
        kind: What the first wait on it was for; `Kind.LOCK` for a lock proper, else an inner lock.
        process: Whose it is; of one that several processes use, who made it, if that is known.
        parts: Its entries, as image index and number: one for each process that has waited for it, or held it while
            another waited.
        shared: Its number among those that several processes use; None: it is of one process.
        made: Stack of where it was made, innermost first; empty if that is not known.
        foreign_posts: How often a thread that did not hold it released it: a signal, not exclusion.
        longest: Stack of the longest wait, innermost first.
        release: Stack of the holder when its longest hold ended.
    """

    id: int
    process: Process
    image_index: int
    number: int
    kind: Kind
    address: int
    made: tuple[Frame, ...]
    waits: int
    wait_ns: int
    longest_ns: int
    held_ns: int
    longest_hold_ns: int
    foreign_posts: int
    longest: tuple[Frame, ...]
    release: tuple[Frame, ...]
    edges: list[Edge] = field(default_factory=list)
    open_waits: int = 0
    open_wait_ns: int = 0
    shared: int | None = None
    parts: list[tuple[int, int]] = field(default_factory=list)

    @property
    def made_at(self) -> Frame | None:
        """Where the program made it, past the library's own frames."""
        return own_frame(self.made)

    @property
    def proper(self) -> bool:
        """Whether it is a lock of the program rather than a part of a condition, event, queue or the like."""
        return self.kind is Kind.LOCK

    def name(self, cwd: str) -> str:
        """What people can know it by."""
        what = "lock" if self.kind is Kind.LOCK else f"{self.kind.name.lower()}'s lock"
        if self.shared is not None:
            what = factory_of(self.made) or f"{what} of several processes"
        if self.made_at is not None:
            return f"{what} made at {short_path(self.made_at.file, cwd)}:{self.made_at.line}"
        waited = own_frame(self.longest)
        if waited is not None:
            return f"{what} waited for at {short_path(waited.file, cwd)}:{waited.line}"
        return f"{what} at {self.address:#x}"


def locks_of(trace: Trace) -> list[Lock]:
    """All locks that were waited for: the program's own first, then by cost; ids in this order."""
    found = [lock for lock in every_lock(trace) if lock.waits]
    found.sort(key=lambda lock: (not lock.proper, -lock.wait_ns, lock.image_index, lock.number))
    for id_, lock in enumerate(found, 1):
        lock.id = id_
    return found


def every_lock(trace: Trace) -> list[Lock]:
    """Also those that nobody waited for, but that were taken with others. None has an id yet."""
    found: list[Lock] = []
    for process in trace.processes:
        for image_index in process.images:
            found += _of_image(trace, process, image_index)
    return list(_joined(trace, found))


def factory_of(made: Iterable[Frame]) -> str | None:
    """What made a lock of `multiprocessing`, by the stack of that: `multiprocessing.Queue`."""
    name = None
    for frame in made:
        if "/multiprocessing/" not in frame.file:
            break
        found = _FACTORY.match(frame.function) or (None if name else _CLASS.match(frame.function))
        if found and found[1] != "SemLock":
            name = found[1]
    return f"multiprocessing.{name}" if name else None


def is_rlock(made: Sequence[Frame]) -> bool:
    """Whether a lock that was made there is an RLock: nobody but its owner can release it."""
    if made and made[0].function == "RLock" and made[0].file.endswith("threading.py"):
        return True
    return any(
        frame.function == "RLock.__init__" and frame.file.endswith("multiprocessing/synchronize.py")
        for frame in made[:2]
    )


def _joined(trace: Trace, locks: list[Lock]) -> Iterable[Lock]:
    """Put together what several processes tell of one lock."""
    by_number: dict[int, Lock] = {}
    for lock in locks:
        if lock.shared is None:
            yield lock
        elif lock.shared not in by_number:
            by_number[lock.shared] = lock
        else:
            _add(by_number[lock.shared], lock)
    for number, lock in by_number.items():
        lock.made = trace.made(number)
        semaphore = trace.shared.semaphore(number)
        if semaphore is not None:
            lock.foreign_posts |= semaphore.foreign
            maker = trace.thread_at(trace.shared.thread(semaphore.maker - 1))
            if maker is not None:
                lock.process = next(one for one in trace.processes if one.id == maker.process)
        yield lock


def _add(lock: Lock, other: Lock) -> None:
    if other.longest_ns > lock.longest_ns:
        lock.longest_ns, lock.longest = other.longest_ns, other.longest
    if other.longest_hold_ns > lock.longest_hold_ns:
        lock.longest_hold_ns, lock.release = other.longest_hold_ns, other.release
    lock.waits += other.waits
    lock.wait_ns += other.wait_ns
    lock.held_ns += other.held_ns
    lock.open_waits += other.open_waits
    lock.open_wait_ns += other.open_wait_ns
    lock.foreign_posts += other.foreign_posts
    lock.parts += other.parts
    lock.edges = sorted([*lock.edges, *other.edges], key=lambda edge: -edge.wait_ns)


def _of_image(trace: Trace, process: Process, image_index: int) -> list[Lock]:
    image, stacks = trace.images[image_index], trace.stacks[image_index]
    by_number: dict[int, Lock] = {}
    for number in np.flatnonzero(image.locks["ready"] != 0).tolist():
        entry = image.locks[number]
        kind = int(entry["kind"])
        by_number[number] = Lock(
            id=0,
            process=process,
            image_index=image_index,
            number=number,
            kind=Kind(kind) if Kind.LOCK <= kind <= Kind.OTHER else Kind.OTHER,
            address=int(entry["address"]),
            made=stacks[int(entry["made_stack"])],
            waits=int(entry["waits"]),
            wait_ns=int(entry["wait_ns"]),
            longest_ns=int(entry["longest_ns"]),
            held_ns=int(entry["held_ns"]),
            longest_hold_ns=int(entry["longest_hold_ns"]),
            foreign_posts=int(entry["foreign_posts"]),
            longest=stacks[int(entry["longest_stack"])],
            release=stacks[int(entry["release_stack"])],
            shared=int(entry["shared"]) - 1 if entry["shared"] else None,
            parts=[(image_index, number)],
        )
    edges: dict[tuple[int, int, int], Edge] = {}
    for entry in image.edges[image.edges["ready"] != 0]:
        key = (int(entry["lock"]), int(entry["waiter"]), int(entry["owner"]))
        edge = edges[key] = Edge(trace.thread(image_index, key[1]), trace.thread(image_index, key[2]))
        edge.waits, edge.wait_ns = int(entry["waits"]), int(entry["wait_ns"])
    for thread in process.threads:
        slot = thread.slot
        if (
            thread.image_index != image_index
            or not thread.life.open
            or not Kind.LOCK <= slot["kind"] <= Kind.FUTURE
        ):
            continue
        lock = by_number.get(int(slot["now_a"]))
        if lock is None:
            continue
        ns = max(0, thread.end_ns - int(slot["since_ns"]))
        lock.open_waits += 1
        lock.open_wait_ns += ns
        lock.waits += 1
        lock.wait_ns += ns
        if ns > lock.longest_ns:
            lock.longest_ns = ns
            lock.longest = stacks[int(slot["now_b"])] or lock.longest
        key = (lock.number, thread.number, int(slot["now_c"]))
        edge = edges.setdefault(key, Edge(thread, trace.thread(image_index, key[2])))
        edge.waits += 1
        edge.wait_ns += ns
    for (number, _, _), edge in sorted(edges.items(), key=lambda item: -item[1].wait_ns):
        if number in by_number:
            by_number[number].edges.append(edge)
    return list(by_number.values())
