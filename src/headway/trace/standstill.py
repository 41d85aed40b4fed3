"""Threads that stand still: for each process, who waits for whom, and whether nobody is left to wake anybody.

Shared by the findings `deadlock` and `stuck`, of a trace that has ended and of a program that runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from headway.trace import kernel
from headway.trace.figures import count
from headway.trace.format import Flag, Kind
from headway.trace.image import ProcessImage
from headway.trace.locks import Lock
from headway.trace.model import Process, Thread, Trace
from headway.trace.slots import HANDLERS, Slots
from headway.trace.source import Sources
from headway.trace.stacks import Frame, own_frame, short_path
from headway.trace.waitfor import Blocked, WaitFor, wait_for

LONG_NS = 2_000_000_000
"""Where nothing is known of who will release what, all threads of a process must have waited for this long: a
thread that was woken a moment ago looks as if it waited still."""
RUNS_NS = 1_000_000_000
"""Slots of a process that runs are read one after the other; waits that are older did not change meanwhile."""
PLACES = 6
"""So many frames of a stack are told."""

_WAITS_FOR = {
    Kind.LOCK: "a lock",
    Kind.CONDITION: "a condition",
    Kind.EVENT: "an event",
    Kind.QUEUE: "a queue",
    Kind.JOIN: "the end of a thread",
    Kind.FUTURE: "the result of a future",
}


@dataclass(slots=True)
class Standstill:
    """The threads of one process that wait for what only they themselves could do.

    Attributes:
        closed: Nobody is left who could wake anybody: all threads of the process wait so, have done so for
            `LONG_NS`, and it has no handlers of signals.
    """

    trace: Trace
    process: Process
    image_index: int
    graph: WaitFor
    closed: bool
    locks: dict[int, Lock]
    sources: Sources

    # --- things

    def thread(self, number: int) -> Thread | None:
        """The thread in a slot."""
        return self.trace.thread(self.image_index, number)

    def name(self, number: int) -> str:
        """Of a thread, as a sentence has it."""
        thread = self.thread(number)
        return f"`{thread.name}`" if thread is not None else "a thread"

    def frames(self, one: Blocked) -> tuple[Frame, ...]:
        """Where a thread waits, innermost first; empty if that is not known."""
        return self.trace.stacks[self.image_index][one.stack]

    def lock(self, one: Blocked) -> Lock | None:
        """The lock that a thread waits for."""
        return None if one.lock is None else self.locks.get(one.lock)

    def made(self, one: Blocked) -> tuple[Frame, ...]:
        """Where the lock that a thread waits for was made, innermost first."""
        lock = self.lock(one)
        return () if lock is None else lock.made

    @property
    def image(self) -> ProcessImage:
        """The process image."""
        return self.trace.images[self.image_index]

    def waited_ns(self, blocked: list[Blocked] | tuple[Blocked, ...]) -> int:
        """For how long all of these have waited together."""
        return max(0, self.process.end_ns - max(one.since_ns for one in blocked))

    # --- words

    @property
    def whose(self) -> str:
        """` of process 12`, where there are several."""
        several = len(self.trace.processes) > 1
        return f" of process {self.process.pid}, {self.process.name}" if several else ""

    def what(self, one: Blocked) -> str:
        """What a thread waits for: `the lock made at bank.py:14`."""
        if one.kind == Kind.JOIN and one.owner is not None:
            return f"the end of {self.name(one.owner)}"
        lock = self.lock(one)
        if lock is not None:
            return f"the {lock.name(self.trace.meta.cwd)}"
        if one.owner == one.number:
            return "a lock that it has taken itself"
        return _WAITS_FOR[Kind(one.kind)]

    def place(self, one: Blocked) -> str:
        """Where a thread waits, see `place_of`."""
        return place_of(self.frames(one), self.trace.meta.cwd)

    def where(self, blocked: list[Blocked] | tuple[Blocked, ...]) -> list[str]:
        """`path:line` of where threads wait."""
        own = [own_frame(self.frames(one)) for one in blocked]
        return list(dict.fromkeys(frame.where for frame in own if frame is not None))

    def units(self, blocked: list[Blocked] | tuple[Blocked, ...]) -> list[int]:
        """Ids of threads."""
        threads = [self.thread(one.number) for one in blocked]
        return [thread.id for thread in threads if thread is not None]

    def lock_ids(self, blocked: list[Blocked] | tuple[Blocked, ...]) -> list[int]:
        """Ids of the locks that threads wait for."""
        locks = [self.lock(one) for one in blocked]
        return list(dict.fromkeys(lock.id for lock in locks if lock is not None))

    def crowd(self, blocked: list[Blocked], at_most: int = 4) -> str:
        """Names of threads: "`a`, `b` and 3 more"."""
        names = [self.name(one.number) for one in blocked[:at_most]]
        more = len(blocked) - len(names)
        return ", ".join(names) + (f" and {count(more, 'more thread')}" if more else "")


def place_of(frames: tuple[Frame, ...], cwd: str) -> str:
    """Where a thread waits: `bank.py:14 pay < bank.py:40 main`; empty if that is not known."""
    own = own_frame(frames)
    start = frames.index(own) if own else 0
    while len(frames) > start + 1 and frames[-1].of_library:
        frames = frames[:-1]  # how a thread begins is the same for all of them
    shown = frames[start : start + PLACES]
    places = [f"{short_path(frame.file, cwd)}:{frame.line} {frame.function}" for frame in shown]
    more = " < …" if len(frames) > start + PLACES else ""
    return " < ".join(places) + more


def standstills(trace: Trace, locks: list[Lock]) -> Iterator[Standstill]:
    """The processes of a trace in which a thread stands still; none of those whose stacks cannot be read.

    Without stacks the inner lock of a condition looks like any lock.
    """
    sources = Sources(trace.meta.cwd, trace.meta.start_unix_s or 0.0)
    for process in trace.processes:
        for image_index in process.images[-1:]:
            image = trace.images[image_index]
            if not image.flags & Flag.STACKS:
                continue
            slots = Slots(image.path)
            try:
                graph = wait_for(slots, slots.read())
            except OSError:
                continue
            if not graph.blocked:
                continue
            if process.runs:
                graph = _settled(graph, process.end_ns - RUNS_NS)
            closed = graph.closed and not slots.untracked and not slots.flags & HANDLERS
            closed = (
                closed and max(one.since_ns for one in graph.blocked.values()) <= process.end_ns - LONG_NS
            )
            if closed and process.runs:
                tids = [int(image.threads["tid"][n]) for n in graph.alive if n < len(image.threads)]
                closed = kernel.all_asleep(process.pid, tids)
            here = {number: lock for lock in locks for index, number in lock.parts if index == image_index}
            yield Standstill(trace, process, image_index, graph, closed, here, sources)


def _settled(graph: WaitFor, before_ns: int) -> WaitFor:
    """Without the waits that have begun later."""
    return WaitFor({n: one for n, one in graph.blocked.items() if one.since_ns <= before_ns}, graph.alive)
