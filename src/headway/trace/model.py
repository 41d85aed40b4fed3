"""The trace as a whole: units with their lives, and one pass over all intervals for whoever needs them."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headway.trace import timeline
from headway.trace.directory import Meta, open_directory
from headway.trace.format import AFAR, NOBODY, PEER, PoolKind, ThreadFlag
from headway.trace.image import ProcessImage, zero_ended
from headway.trace.inner import link
from headway.trace.interval import KINDS, Intervals
from headway.trace.jobs import Job, jobs_of
from headway.trace.pools import Pool, pools_of
from headway.trace.processes import Lineage, lineage
from headway.trace.runs import Others, Runs, join, pipe_of, pool_kind
from headway.trace.shared import Place, Shared
from headway.trace.stacks import Frame, Stacks, own_frame
from headway.trace.states import Life, life_of, off_share_of
from headway.trace.tasks import Task, tasks_of
from headway.trace.unit import Unit
from headway.units import UnitKind

if TYPE_CHECKING:
    from headway.trace.steps import Steps

__all__ = ["Consumer", "Job", "Pool", "Process", "Task", "Thread", "Trace", "Unit"]


@dataclass(slots=True, kw_only=True)
class Thread(Unit):
    """A thread: slot `number` of `image`, which is image `image_index` of the trace."""

    tid: int
    image: ProcessImage
    image_index: int
    number: int
    life: Life

    @property
    def slot(self) -> Any:
        """Scalar of `format.THREAD`."""
        return self.image.threads[self.number]


@dataclass(slots=True, kw_only=True)
class Process(Unit):
    """A process: all images of one pid, one after the other by exec. None: it was seen, but not traced.

    Attributes:
        image_ends: For each image its index, when it ended and whether it did.
        runs: It had not ended when the trace was read.
        created: The stack of who started it, innermost first; empty if that is not known.
        reaped: Somebody has waited for its end.
    """

    images: list[int] = field(default_factory=list)
    image_ends: list[tuple[int, int, bool]] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    started_by: int | None = None
    signal: int | None = None
    runs: bool = False
    created: tuple[Frame, ...] = ()
    reaped: bool = False

    @property
    def traced(self) -> bool:
        """Whether there is a trace of it."""
        return bool(self.images)

    @property
    def created_at(self) -> Frame | None:
        """The program's own line that started it."""
        return own_frame(self.created)


class Consumer(Protocol):
    """Takes part in a pass over all intervals."""

    def add(self, thread: Thread, rows: Intervals) -> None:
        """Take a block of intervals; a thread's blocks come in order, one thread after the other."""


class Trace:
    """A recorded run.

    Args:
        directory: Where it was recorded.
        records: As for `ProcessImage`: without, there are units, totals and locks, but no timeline.
    Raises:
        TraceNotFound, TraceUnreadable, TraceTooNew: See `directory.open_directory`.

    Attributes:
        units: All units; `units[i].id == i + 1`; the root process is first; tasks and
            greenlets, and then jobs, are last.
        notes: What could not be read or is not known, for people.
        steps: What `steps.steps_of` has read.
        shared: What processes know of each other.
        other_runs: What workers ran of jobs that are not told one by one, by the number of their pipe and the function.
    """

    def __init__(self, directory: Path, *, records: bool = True) -> None:
        self.directory = directory
        self.meta: Meta
        self.meta, self.images, self.notes = open_directory(directory, records=records)
        self.stacks = [Stacks(image) for image in self.images]
        self.shared = Shared(directory)
        self._by_start = {
            (int(image.header["pid"]), int(image.header["start_ns"])): index
            for index, image in enumerate(self.images)
        }
        tree = lineage(self.meta, self.images)
        self.start_ns = self.meta.start_ns or min((int(i.header["start_ns"]) for i in self.images), default=0)
        self.end_ns = max([self.start_ns, self.meta.end_ns or 0, *(one.end_ns for one in tree)])
        self.units: list[Unit] = []
        self._by_slot: dict[tuple[int, int], Thread] = {}
        for one in tree:
            self._add_process(one)
        self._link(tree)
        self.tasks: list[Task] = []
        self.jobs: list[Job] = []
        self.steps: Steps | None = None
        self._by_entry: dict[tuple[int, int], Task | Job] = {}
        for add in (self._add_tasks, self._add_jobs):
            for process in self.processes:
                add(process)
        runs = Runs(self)
        self._join(runs)
        self.other_runs: dict[tuple[int, Frame | None], Others] = runs.others()
        link(self, self.tasks)
        link(self, self.jobs)
        self.pools: list[Pool] = pools_of(self, runs.workers)

    # --- making

    def _add_process(self, one: Lineage) -> None:
        process = Process(
            id=len(self.units) + 1,
            kind=UnitKind.PROCESS,
            name=_command_name(one.command) if one.images else f"pid {one.pid} (not traced)",
            parent=None,
            process=len(self.units) + 1,
            pid=one.pid,
            start_ns=one.start_ns,
            end_ns=one.end_ns,
            ended=one.ended,
            totals=np.zeros(KINDS, np.int64),
            images=one.images,
            image_ends=one.image_ends,
            command=one.command,
            signal=one.signal,
            runs=one.runs,
            created=() if one.made_by is None else self.stacks[one.made_by[0]][one.made_by[1]],
            reaped=one.reaped,
        )
        self.units.append(process)
        for index, image_end_ns, image_ended in one.image_ends:
            image = self.images[index]
            numbers = np.flatnonzero(image.threads["ready"] != 0)
            numbers = numbers[np.argsort(image.threads["created_ns"][numbers], kind="stable")]
            slots = [image.threads[number] for number in numbers]
            lives = [life_of(slot, image, image_end_ns, process_ended=image_ended) for slot in slots]
            if one.cpu_ns is not None and image_ended and index == one.images[-1]:
                share = off_share_of(slots, lives, one.cpu_ns - int(image.header["start_cpu_ns"]))
                if share:
                    lives = [
                        life_of(slot, image, image_end_ns, process_ended=True, off_share=share)
                        for slot in slots
                    ]
            for number, slot, life in zip(numbers.tolist(), slots, lives, strict=True):
                thread = Thread(
                    id=len(self.units) + 1,
                    kind=UnitKind.THREAD,
                    name=_thread_name(slot),
                    parent=process.id,
                    process=process.id,
                    pid=one.pid,
                    start_ns=life.start_ns,
                    end_ns=life.end_ns,
                    ended=life.ended,
                    totals=life.totals,
                    tid=int(slot["tid"]),
                    image=image,
                    image_index=index,
                    number=number,
                    life=life,
                )
                self.units.append(thread)
                process.threads.append(thread)
                self._by_slot[index, number] = thread
        process.start_ns = min([process.start_ns, *(t.start_ns for t in process.threads)])

    def _link(self, tree: list[Lineage]) -> None:
        for thread in self.threads:
            creator = self.thread(thread.image_index, int(thread.slot["creator"]))
            if creator is not None and creator is not thread:
                thread.parent = creator.id
        processes = self.processes
        for process, one in zip(processes, tree, strict=True):
            if one.parent is not None:
                process.parent = processes[one.parent].id
            if one.started_by is not None and (starter := self.thread(*one.started_by)) is not None:
                process.started_by = starter.id

    def _add_tasks(self, process: Process) -> None:
        for index, end_ns, ended in process.image_ends:
            for task in tasks_of(process, index, self.images[index], self.stacks[index], end_ns, ended=ended):
                self._add(task)
                self.tasks.append(task)

    def _add_jobs(self, process: Process) -> None:
        for index, end_ns, ended in process.image_ends:
            for job in jobs_of(process, index, self.images[index], self.stacks[index], end_ns, ended=ended):
                self._add(job)
                self.jobs.append(job)

    def _join(self, runs: Runs) -> None:
        for job in self.jobs:
            image = self.images[job.image_index]
            if pool_kind(image, job.pool) != PoolKind.PROCESSES:
                continue
            entry = image.inner[job.number]
            run = runs.take(pipe_of(image, job.pool), int(entry["number"]), job.start_ns)
            join(job, entry, run)
            if run is not None:  # what it started says that the run did
                self._by_entry[run.image_index, run.number] = job

    def _add(self, unit: Task | Job) -> None:
        unit.id = len(self.units) + 1
        self.units.append(unit)
        self._by_entry[unit.image_index, unit.number] = unit

    # --- reading

    @property
    def processes(self) -> list[Process]:
        """Processes, the root first, then by start."""
        return [unit for unit in self.units if isinstance(unit, Process)]

    @property
    def threads(self) -> list[Thread]:
        """Threads of all processes."""
        return [unit for unit in self.units if isinstance(unit, Thread)]

    def thread(self, image_index: int, number: int) -> Thread | None:
        """The thread in a slot of an image, or one of another process by its number there; None for nobody."""
        if PEER <= number < AFAR:
            return self.thread_at(self.shared.thread(number - PEER))
        return None if number == NOBODY else self._by_slot.get((image_index, number))

    def thread_at(self, place: Place | None) -> Thread | None:
        """The thread of any process; None for nobody, or if that process's file is not there."""
        index = self._by_start.get((place.pid, place.start_ns)) if place is not None else None
        return None if place is None or index is None else self._by_slot.get((index, place.slot))

    def made(self, semaphore: int) -> tuple[Frame, ...]:
        """Where a semaphore of several processes was made, innermost first."""
        found = self.shared.semaphore(semaphore)
        maker = self.shared.thread(found.maker - 1) if found is not None else None
        index = self._by_start.get((maker.pid, maker.start_ns)) if maker is not None else None
        return () if found is None or index is None else self.stacks[index][found.made_stack]

    def task(self, image_index: int, number: int | None) -> Task | None:
        """The task in an entry of an image; None if it is one of many, or none."""
        unit = None if number is None else self._by_entry.get((image_index, number))
        return unit if isinstance(unit, Task) else None

    def inner(self, image_index: int, number: int) -> Task | Job | None:
        """The task or job in an entry of an image; None if it is one of many, or none."""
        return self._by_entry.get((image_index, number))

    def unit(self, id: int) -> Unit:  # noqa: A002 - the word of the vocabulary
        """The unit with an id."""
        return self.units[id - 1]

    def scan(self, *consumers: Consumer, threads: list[Thread] | None = None) -> None:
        """Pass over the intervals of all threads, or of some, once.

        Cost: about 0.1 µs an interval and consumer; memory does not grow with the trace.
        """
        for thread in self.threads if threads is None else threads:
            for rows in timeline.intervals(thread.image, thread.number, thread.life):
                for consumer in consumers:
                    consumer.add(thread, rows)

    # --- facts

    @property
    def wall_ns(self) -> int:
        """From the start of the program to its end."""
        return (self.meta.end_ns or self.end_ns) - self.start_ns

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the whole tree: the kernel's figure, or what the processes read where that is more.

        The kernel gives what was waited for; a process that was killed never waits for its children.
        """
        whole = 0
        later = {index for process in self.processes for index in process.images[1:]}
        for index, image in enumerate(self.images):
            clock = int(image.header["cpu_ns"])
            before = int(image.header["start_cpu_ns"]) if index in later else 0
            whole += max(clock - before, 0) or int(image.threads["cpu_ns"].sum())
        return max(whole / 1e9, float(self.meta.cpu_s or 0))

    @property
    def cores_used(self) -> float:
        """Cores that were busy on average."""
        return self.cpu_s * 1e9 / self.wall_ns if self.wall_ns > 0 else 0.0

    @property
    def complete_from_ns(self) -> int | None:
        """From when on every timeline is whole; None: from the start."""
        latest = max((image.complete_from_ns for image in self.images), default=0)
        return latest or None


def _thread_name(slot: Any) -> str:
    name = zero_ended(slot["name"])
    if name:
        return name
    if int(slot["flags"]) & ThreadFlag.MAIN:
        return "main"
    return f"thread-{int(slot['tid'])}" if int(slot["tid"]) else "thread (never ran)"


def _title(arguments: list[str]) -> str | None:
    """Of `python -c "'a name'; ..."`, which is one line of code that begins with a text: that text."""
    code = next((after for option, after in itertools.pairwise(arguments) if option == "-c"), "")
    found = re.match(r"'([^'\\]+)'; ", code)
    return found[1] if found else None


def _command_name(command: list[str]) -> str:
    if not command:
        return "?"
    first = command[0].rsplit("/", 1)[-1] or command[0]
    if len(command) > 1 and re.fullmatch(r"python[\d.]*t?", first):
        if name := _title(command[1:]):
            return name
        return (
            _command_name(command[1:]) if command[1].endswith(".py") else " ".join(["python", *command[1:]])
        )
    rest = [part.rsplit("/", 1)[-1] if part.startswith("/") else part for part in command[1:]]
    return " ".join([first, *rest])
