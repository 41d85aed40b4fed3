"""Event loops that stand still: all tasks of a process wait for one another, and nothing can come from outside.

Only of a process that runs: the kernel is asked what its loops look at. A trace does not hold that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from headway.trace import kernel
from headway.trace.format import Flag, InnerKind, Kind
from headway.trace.inner import numbers
from headway.trace.model import Process, Trace
from headway.trace.slots import ON_SIGNAL, Slot, Slots
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


@dataclass(slots=True)
class LoopStill:
    """The tasks of a process that cannot go on by themselves.

    Attributes:
        tasks: Those that have not ended, by number: each waits.
        owners: Whom one waits for, by number, as far as that is known.
        patient: It looks as if the program waited for Ctrl-C.
    """

    trace: Trace
    process: Process
    tasks: dict[int, Task]
    owners: dict[int, Owner]
    patient: bool

    def circles(self) -> list[tuple[Task, ...]]:
        """Tasks of which each waits for the next one, and the last for the first."""
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

    All of these must be seen: each thread either runs an event loop that has no timer and looks at nothing but the
    socket by which its own process wakes it, or waits for what only its process can do, without a time limit; each
    task waits for a lock, a condition, an event, a queue, a future or another task; all have waited for longer than
    `standstill.LONG_NS`; there are no handlers of signals but of SIGINT.
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
    if not image.flags & Flag.TASKS or not image.flags & Flag.STACKS:
        return None
    slots = Slots(image.path)
    try:
        alive = slots.read()
    except OSError:
        return None
    tasks = {
        task.number: task
        for task in trace.tasks
        if task.image_index == index and task.kind is UnitKind.TASK and not task.ended
    }
    many = any(int(image.inner[number]["live"]) for number in numbers(image, InnerKind.TASK, many=True))
    if not tasks or many or slots.untracked or slots.flags & ON_SIGNAL:
        return None
    before_ns = process.end_ns - LONG_NS
    if not all(_waits(task, before_ns) for task in tasks.values()):
        return None
    if not all((slot.enclosed or slot.polls) and slot.since_ns <= before_ns for slot in alive.values()):
        return None
    loops = {number: slot for number, slot in alive.items() if slot.polls}
    if not loops or not all(kernel.waits_for_itself(process.pid, slot.tid) for slot in loops.values()):
        return None
    if not kernel.all_asleep(process.pid, [slot.tid for slot in alive.values()]):
        return None
    owners = {number: owner for number, task in tasks.items() if (owner := _owner(task, tasks, sources))}
    return LoopStill(trace, process, tasks, owners, _patient(trace, index, tasks, alive, sources))


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
    trace: Trace, index: int, tasks: Mapping[int, Task], alive: Mapping[int, Slot], sources: Sources
) -> bool:
    """Whether it may wait for Ctrl-C on purpose: the first task of a loop waits for an event, or for a bare future."""
    first: dict[int | None, Task] = {}
    for task in sorted(tasks.values(), key=lambda task: (task.start_ns, task.number)):
        first.setdefault(task.carrier, task)
    for task in first.values():
        own = own_frame(task.stack)
        together = own is not None and sources.calls(own, _TOGETHER)
        if task.waits_for == Kind.EVENT or (
            task.waits_for == Kind.FUTURE and task.awaits is None and not together
        ):
            return True
        if sources.awaits_interrupt(_own(task.stack)):
            return True
    return any(sources.awaits_interrupt(trace.stacks[index][slot.b]) for slot in alive.values() if slot.polls)
