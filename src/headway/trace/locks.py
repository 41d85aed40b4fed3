"""Locks: which cost most, where they were made, and who waited for whom. Exact for the whole run."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from headway.trace.format import Kind
from headway.trace.model import Process, Thread, Trace
from headway.trace.stacks import Frame, own_frame, short_path


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
    made_at: Frame | None
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

    @property
    def proper(self) -> bool:
        """Whether it is a lock of the program rather than a part of a condition, event, queue or the like."""
        return self.kind is Kind.LOCK

    def name(self, cwd: str) -> str:
        """What people can know it by."""
        what = "lock" if self.kind is Kind.LOCK else f"{self.kind.name.lower()}'s lock"
        if self.made_at is not None:
            return f"{what} made at {short_path(self.made_at.file, cwd)}:{self.made_at.line}"
        waited = own_frame(self.longest)
        if waited is not None:
            return f"{what} waited for at {short_path(waited.file, cwd)}:{waited.line}"
        return f"{what} at {self.address:#x}"


def locks_of(trace: Trace) -> list[Lock]:
    """All locks that were waited for: the program's own first, then by cost; ids in this order."""
    found: list[Lock] = []
    for process in trace.processes:
        for image_index in process.images:
            found += _of_image(trace, process, image_index)
    found.sort(key=lambda lock: (not lock.proper, -lock.wait_ns, lock.image_index, lock.number))
    for id_, lock in enumerate(found, 1):
        lock.id = id_
    return found


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
            made_at=_made_at(stacks[int(entry["made_stack"])]),
            waits=int(entry["waits"]),
            wait_ns=int(entry["wait_ns"]),
            longest_ns=int(entry["longest_ns"]),
            held_ns=int(entry["held_ns"]),
            longest_hold_ns=int(entry["longest_hold_ns"]),
            foreign_posts=int(entry["foreign_posts"]),
            longest=stacks[int(entry["longest_stack"])],
            release=stacks[int(entry["release_stack"])],
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
    return [lock for lock in by_number.values() if lock.waits]


def _made_at(frames: tuple[Frame, ...]) -> Frame | None:
    """Where the program made it, past the library's own frames."""
    return own_frame(frames)
