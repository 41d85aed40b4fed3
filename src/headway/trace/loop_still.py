"""Event loops that stand still: tasks and greenlets wait for one another, and nothing can come from outside.

Only of a process that runs: the kernel is asked what its loops look at. A trace does not hold that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from headway.trace import kernel
from headway.trace.format import Flag, InnerKind, Kind
from headway.trace.inner import numbers
from headway.trace.kernel import Loop
from headway.trace.model import Process, Thread, Trace
from headway.trace.slots import Slot, Slots
from headway.trace.source import Hold, Sources
from headway.trace.stacks import Frame, own_frame
from headway.trace.standstill import LONG_NS
from headway.trace.tasks import Task
from headway.trace.waitfor import Blocked, WaitFor
from headway.units import UnitKind

_TOGETHER = frozenset({"gather"})
"""Waits for a future that stand for waits for tasks."""


@dataclass(frozen=True, slots=True)
class Owner:
    """What a task waits for: another task.

    Attributes:
        hold: Where that one took the lock that the first waits for, as the source says; None: its end is waited for.
    """

    task: Task
    hold: Hold | None


@dataclass(frozen=True, slots=True)
class Beside:
    """A thread without an event loop, which waits, too: for what, and where.

    Attributes:
        owner: Who has the lock that it waits for, if that is known.
        works: It runs a job of an executor.
    """

    thread: Thread
    waits_for: Kind
    stack: tuple[Frame, ...]
    owner: Thread | None
    works: bool


@dataclass(slots=True)
class LoopStill:
    """The tasks and greenlets of a process that cannot go on by themselves.

    Attributes:
        tasks: Those that have not ended, by number: each waits.
        owners: Whom one waits for, by number, as far as that is known.
        beside: Other threads that wait in the program's own code; not workers without work.
        patient: It looks as if the program waited for Ctrl-C.
    """

    trace: Trace
    process: Process
    tasks: dict[int, Task]
    owners: dict[int, Owner]
    beside: list[Beside]
    patient: bool

    def circles(self) -> list[tuple[Task, ...]]:
        """Tasks, or greenlets, of which each waits for the next one, and the last for the first."""
        blocked = {
            number: Blocked(
                number, int(task.waits_for or 0), None, self._owner(number), task.since_ns, stack=0
            )
            for number, task in self.tasks.items()
        }
        graph = WaitFor(blocked, set(blocked))
        return [tuple(self.tasks[one.number] for one in circle) for circle in graph.circles()]

    def _owner(self, number: int) -> int | None:
        owner = self.owners.get(number)
        return None if owner is None else owner.task.number


def still_loops(trace: Trace) -> Iterator[LoopStill]:
    """The processes whose loops stand still.

    All of these must be seen: each thread either runs an event loop (asyncio's, uvloop's, or gevent's hub on libev)
    that has no timer and looks at nothing but that by which its own process wakes it, or waits for what only its
    process can do, without a time limit; each task, and each greenlet of a hub, waits for a lock, a condition, an
    event, a queue, a future or another one of them; all have waited for longer than `standstill.LONG_NS`; no signal is
    caught but SIGINT.
    """
    sources = Sources(trace.meta.cwd, trace.meta.start_unix_s or 0.0)
    for process in trace.processes:
        if not process.runs:
            continue
        for index in process.images[-1:]:
            found = _still(trace, process, index, sources)
            if found is not None:
                yield found


def _still(trace: Trace, process: Process, index: int, sources: Sources) -> LoopStill | None:
    image = trace.images[index]
    if not image.flags & (Flag.TASKS | Flag.GREENLETS) or not image.flags & Flag.STACKS:
        return None
    slots = Slots(image.path)
    try:
        alive = slots.read()
    except OSError:
        return None
    before_ns = process.end_ns - LONG_NS
    if slots.untracked or not all(
        (slot.enclosed or slot.polls) and slot.since_ns <= before_ns for slot in alive.values()
    ):
        return None
    loops = {number: _loop(trace, index, process.pid, slot) for number, slot in alive.items() if slot.polls}
    tasks = _tasks(trace, index, {number for number, loop in loops.items() if loop is Loop.GEVENT})
    kinds = (InnerKind.TASK, InnerKind.GREENLET) if Loop.GEVENT in loops.values() else (InnerKind.TASK,)
    many = any(int(image.inner[number]["live"]) for number in numbers(image, *kinds, many=True))
    if not tasks or many or not all(_waits(task, before_ns) for task in tasks.values()):
        return None
    if not loops or None in loops.values() or kernel.may_get_signals(process.pid):
        return None
    if not kernel.all_asleep(process.pid, [slot.tid for slot in alive.values()]):
        return None
    owners = {number: owner for number, task in tasks.items() if (owner := _owner(task, tasks, sources))}
    beside = list(_beside(trace, index, alive))
    # Such a job does not end, and so its future is not one that nobody will ever set.
    held_up = any(one.works and one.owner not in (None, one.thread) for one in beside)
    patient = _patient(
        tasks, [trace.stacks[index][alive[number].b] for number in loops], sources, held_up=held_up
    )
    return LoopStill(trace, process, tasks, owners, beside, patient)


def _loop(trace: Trace, index: int, pid: int, slot: Slot) -> Loop | None:
    """The event loop that a thread runs, if it waits for its own process only."""
    loop = kernel.waits_for_itself(pid, slot.tid)
    frames = trace.stacks[index][slot.b]
    if loop is Loop.ASYNCIO:
        known = any(
            frame.file.endswith("asyncio/base_events.py") and frame.function.endswith("._run_once")
            for frame in frames
        )
    elif loop is Loop.GEVENT:
        known = any(frame.file.endswith("gevent/hub.py") and frame.function == "Hub.run" for frame in frames)
    else:
        known = loop is Loop.UVLOOP and kernel.has_mapped(pid, "/uvloop/loop.")  # its loop has no frames
    return loop if known else None


def _tasks(trace: Trace, index: int, hubs: set[int]) -> dict[int, Task]:
    """The tasks that have not ended, and the greenlets of these threads but for their hubs, by number."""
    threads = {thread.id for number in hubs if (thread := trace.thread(index, number)) is not None}
    return {
        task.number: task
        for task in trace.tasks
        if task.image_index == index
        and not task.ended
        and (task.kind is UnitKind.TASK or (task.role != "hub" and task.carrier in {None, *threads}))
    }


def _beside(trace: Trace, index: int, alive: Mapping[int, Slot]) -> Iterator[Beside]:
    workers = {
        job.carrier for job in trace.jobs if job.image_index == index and job.begun_ns and job.outcome is None
    }
    locks = trace.images[index].locks
    for number, slot in alive.items():
        thread, stack = trace.thread(index, number), trace.stacks[index][slot.b]
        if not slot.enclosed or thread is None:
            continue
        works = thread.id in workers
        if works or slot.kind == Kind.LOCK or any(not frame.of_library for frame in stack):
            owner = int(locks[slot.a]["owner"]) if slot.kind == Kind.LOCK and slot.a < len(locks) else 0
            holder = trace.thread(index, owner - 1) if owner else None
            yield Beside(thread, Kind(slot.kind), stack, holder, works)


def _waits(task: Task, before_ns: int) -> bool:
    waits_for = task.waits_for
    return waits_for is not None and Kind.LOCK <= waits_for <= Kind.FUTURE and task.since_ns <= before_ns


def _owner(task: Task, tasks: Mapping[int, Task], sources: Sources) -> Owner | None:
    if task.awaits is not None:
        return Owner(tasks[task.awaits], None) if task.awaits in tasks else None
    if task.waits_for != Kind.LOCK:
        return None
    names = sources.taken(_own(task.stack))
    holds = [
        Owner(other, hold)
        for other in tasks.values()
        if other is not task and names and (hold := sources.hold(_own(other.stack), names)) is not None
    ]
    return holds[0] if len(holds) == 1 else None  # of several, the source alone does not say which


def _own(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Without asyncio's own frames, in which the program's code waits."""
    own = own_frame(frames)
    return frames[frames.index(own) :] if own is not None else ()


def _patient(
    tasks: Mapping[int, Task], loops: Iterable[tuple[Frame, ...]], sources: Sources, *, held_up: bool
) -> bool:
    """Whether it may wait for Ctrl-C on purpose: the first task of a loop waits for an event, or for a bare future.

    The main greenlet of a hub waits for an event then: what serves for ever does.
    """
    first: dict[int | None, Task] = {}
    for task in sorted(tasks.values(), key=lambda task: (task.role is None, task.start_ns, task.number)):
        first.setdefault(task.carrier, task)
    for task in first.values():
        own = own_frame(task.stack)
        bare = task.waits_for == Kind.FUTURE and task.kind is UnitKind.TASK and task.awaits is None
        if task.waits_for == Kind.EVENT or sources.awaits_interrupt(_own(task.stack)):
            return True
        if bare and not held_up and not (own is not None and sources.calls(own, _TOGETHER)):
            return True
    return any(sources.awaits_interrupt(frames) for frames in loops)
