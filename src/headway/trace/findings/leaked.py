"""leaked: threads, executors, tasks, greenlets or processes that nobody ends, joins or awaits, more and more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

import numpy as np

from headway.trace.figures import count, duration
from headway.trace.findings.destroyed import destroyed
from headway.trace.findings.finding import Finding
from headway.trace.findings.pile import COUNT, IDLE, POOLS, Thing, idle_ns, piled
from headway.trace.findings.unreaped import unreaped
from headway.trace.format import NOBODY, Kind, PoolKind
from headway.trace.gil import Gil
from headway.trace.locks import Lock
from headway.trace.model import Pool, Process, Task, Thread, Trace
from headway.trace.stacks import Frame, short_path
from headway.units import FindingKind, Severity, UnitKind

AFTERWARDS = 0.1
"""A task that was cancelled in its last wait takes this share of its life at most to end then."""

T = TypeVar("T")

Place = tuple[Frame, ...]
"""Where units are made: the program's innermost line and the one that called it, since the first may be a helper's."""

_WAITS_FOR = {
    Kind.CONDITION: "a condition",
    Kind.EVENT: "an event",
    Kind.QUEUE: "a queue",
    Kind.JOIN: "the end of another",
    Kind.FUTURE: "a future",
}
_ADVICE = {
    "thread": "let each end when its work is done (an event that it looks at, or None in its queue), and join() it; "
    "or give the work to one executor",
    "executor": "use each in a `with` block, or call shutdown(); or have one for all the work",
    "task": "await each, or cancel it when it is not needed any more; asyncio.TaskGroup does both",
    "greenlet": "join() each, or kill() it when it is not needed any more; gevent.pool.Group does both",
}


class _Wait(NamedTuple):
    start_ns: int
    end_ns: int
    kind: Kind
    stack: int


class Leaked:
    """Finds what piles up: `pile.piled` says when that is so of threads, executors, tasks and greenlets.

    They count by the line that made them, and the one that called it. Threads of executors do not count: an executor
    of threads does, with all its workers, by the line that gave it its first job. Tasks count that another task, or a
    job, has made: what the callback of a connection makes lives as long as that. None is judged where half as many
    units of the process wait for input as are in the pile: they may belong to connections that are open.

    Processes do not pile up like this: see `unreaped.unreaped`. Nor do tasks that were thrown away, of which each is
    one too many: see `destroyed.destroyed`.
    """

    def find(self, trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
        """See `Finder`."""
        found = destroyed(trace)
        for process in trace.processes:
            for image_end in process.image_ends:
                one = _Image(trace, process, *image_end[:2])
                found += [*one.threads(), *one.executors(), *one.inner()]
            found += unreaped(trace, process)
        return found


class _Image:
    """Looks at what one process image has made."""

    def __init__(self, trace: Trace, process: Process, index: int, end_ns: int) -> None:
        self._trace, self._process, self._index = trace, process, index
        self._end_ns = end_ns
        self._image, self._stacks = trace.images[index], trace.stacks[index]
        self._start_ns = int(self._image.header["start_ns"])
        self._threads = [thread for thread in process.threads if thread.image_index == index]
        self._tasks = [task for task in trace.tasks if task.image_index == index]
        self._waits: dict[int, _Wait] = {}

    # --- things

    def threads(self) -> list[Finding]:
        """Of threads that are no workers of an executor."""
        places: dict[Place, list[Thing]] = {}
        for thread in self._threads:
            made = self._stacks[int(thread.slot["create_stack"])]
            place = _place(made)
            if not place or _of_executor(made):
                continue
            slot = thread.slot
            kind = Kind(int(slot["kind"])) if int(slot["kind"]) < Kind.BURST else Kind.NONE
            maker = self._trace.unit(thread.parent or thread.process)
            waits = thread.life.open and kind in IDLE and int(slot["now_d"]) == NOBODY
            places.setdefault(place, []).append(
                Thing(
                    thread.start_ns,
                    thread.end_ns,
                    int(slot["since_ns"]) if waits else None,
                    kind,
                    _own(self._stacks[int(slot["now_b"])]),
                    [thread.id],
                    maker.id,
                    maker.end_ns,
                )
            )
        return self._findings("thread", places, COUNT)

    def executors(self) -> list[Finding]:
        """Of executors that were not shut down."""
        mine = [
            pool
            for pool in self._trace.pools
            if pool.image_index == self._index and pool.kind is PoolKind.THREADS
        ]
        if len(mine) < POOLS:
            return []
        workers: dict[int, dict[int, Thread]] = {pool.number: {} for pool in mine}
        for job in self._trace.jobs:
            worker = self._trace.unit(job.carrier) if job.carrier else None
            if job.image_index == self._index and isinstance(worker, Thread) and job.pool in workers:
                workers[job.pool][worker.id] = worker
        places: dict[Place, list[Thing]] = {}
        for pool in mine:
            if place := _place(pool.first):
                places.setdefault(place, []).append(self._pool(pool, workers[pool.number]))
        return self._findings("executor", places, POOLS)

    def _pool(self, pool: Pool, workers: dict[int, Thread]) -> Thing:
        freed = int(self._image.pools["end_ns"][pool.number])
        end = min([freed or self._end_ns, *(worker.end_ns for worker in workers.values())])
        idle = bool(workers) and not pool.queued and not pool.running and not pool.lost
        since = int(self._image.pools["since_ns"][pool.number])
        user = self._trace.thread(self._index, int(self._image.pools["creator"][pool.number]))
        thing = Thing(pool.start_ns, end, since if idle else None, Kind.QUEUE, None, list(workers))
        if user is not None:
            thing.maker, thing.maker_end_ns = user.id, user.end_ns
        return thing

    def inner(self) -> list[Finding]:
        """Of tasks and greenlets."""
        groups: dict[tuple[UnitKind, Place], list[Task]] = {}
        places: dict[int, Place] = {}
        for task in self._tasks:
            # Tasks that were made at one place have one tuple between them.
            if id(task.created) not in places:
                places[id(task.created)] = _place(task.created)
            place = places[id(task.created)]
            if place and self._judged(task):
                groups.setdefault((task.kind, place), []).append(task)
        many = {of: tasks for of, tasks in groups.items() if sum(map(_may_be_left, tasks)) >= COUNT}
        self._waits = self._last_waits() if many else {}
        found = []
        for (kind, place), tasks in many.items():
            things = [self._inner(task) for task in tasks]
            found += self._findings(str(kind), {place: things}, COUNT)
        return found

    def _inner(self, task: Task) -> Thing:
        """A task or greenlet. One that was cancelled in its last wait was idle until then."""
        since, kind, place = None, task.waits_for, _own(task.stack)
        wait = self._waits.get(task.number)
        if task.outcome is None and kind in IDLE:
            since = task.since_ns
        elif task.outcome == "cancelled" and wait is not None:
            kind, place = wait.kind, _own(self._stacks[wait.stack])
            soon = task.end_ns - wait.end_ns <= AFTERWARDS * (task.end_ns - task.start_ns)
            since = wait.start_ns if soon and kind in IDLE else None
        maker = self._trace.unit(task.parent or task.process)
        return Thing(task.start_ns, task.end_ns, since, kind, place, [task.id], maker.id, maker.end_ns)

    def _judged(self, task: Task) -> bool:
        """Whether it is the program's, made by somebody who is told and not by a callback of a loop."""
        if task.role is not None:
            return False
        maker = self._trace.unit(task.parent or task.process)
        if task.kind is UnitKind.GREENLET:
            return not isinstance(maker, Task) or maker.role != "hub"
        return not isinstance(maker, Thread | Process)

    def _last_waits(self) -> dict[int, _Wait]:
        """Of each task and greenlet the last long wait that has ended."""
        ends: dict[int, int] = {}
        last: dict[int, _Wait] = {}
        for thread in self._threads:
            for block in self._image.records(thread.number):
                waits = block[block["dur_kind"] & 0xFF == Kind.WAITED]
                # Those of one thread are in order: the last of each unit is the first from behind.
                numbers, first = np.unique(waits["a"][::-1], return_index=True)
                for number, record in zip(numbers.tolist(), waits[::-1][first], strict=True):
                    start, kind = int(record["start_ns"]), int(record["d"]) >> 24
                    end = start + (int(record["dur_kind"]) >> 8)
                    if end > ends.get(number, 0):
                        ends[number] = end
                        known = Kind(kind) if kind < Kind.BURST else Kind.OTHER
                        last[number] = _Wait(start, end, known, int(record["b"]))
        return last

    # --- the finding

    def _findings(self, what: str, places: dict[Place, list[Thing]], least: int) -> list[Finding]:
        found = []
        for place, things in places.items():
            pile = piled(things, self._start_ns, self._end_ns, least)
            if pile and self._at_input(pile[-1].start_ns) < len(pile) / 2:
                found.append(self._finding(what, place, pile, len(things)))
        return found

    def _at_input(self, at_ns: int) -> int:
        """How many units waited for input or output: threads when the process ended, the others at some time."""
        found = sum(thread.life.open and int(thread.slot["kind"]) == Kind.IO for thread in self._threads)
        for task in self._tasks:
            if task.waits_for is Kind.IO:
                found += task.since_ns <= at_ns
            elif (wait := self._waits.get(task.number)) is not None and wait.kind is Kind.IO:
                found += wait.start_ns <= at_ns <= wait.end_ns
        return found

    def _finding(self, what: str, place: Place, pile: list[Thing], made: int) -> Finding:
        cwd = self._trace.meta.cwd
        at, *callers = (f"{short_path(frame.file, cwd)}:{frame.line}" for frame in place)
        units = [unit for one in pile for unit in one.units]
        most = _most(one.kind for one in pile)
        waits_at = _most(one.waits_at for one in pile)
        mean_ns = sum(idle_ns(one) for one in pile) // len(pile)
        whose = f" of process {self._process.pid}" if len(self._trace.processes) > 1 else ""
        if what == "executor":
            sentence = (
                f"{count(len(pile), what)}{whose}, first used at {at}, were never shut down: their "
                f"{count(len(units), 'thread')} had nothing to do any more, for {duration(mean_ns)} on average"
            )
        else:
            where = f" at {short_path(waits_at.file, cwd)}:{waits_at.line}" if waits_at is not None else ""
            sentence = (
                f"{count(len(pile), what)}{whose} made at {at} never ended: they waited for "
                f"{_WAITS_FOR[most or Kind.EVENT]}{where} to the end, for {duration(mean_ns)} on average"
            )
        first, last = (duration(max(one.start_ns - self._start_ns, 0)) for one in (pile[0], pile[-1]))
        verb = "was first used" if what == "executor" else "was made"
        evidence = [
            f"the first {verb} {first} after the start of the program, the last {last}, and they were all there at once"
        ]
        evidence += [f"that line was called from {caller}" for caller in callers]
        if made > len(pile):
            evidence.append(
                f"{count(made - len(pile), f'other {what}')} of the same line had ended, or had work"
            )
        return Finding(
            kind=FindingKind.LEAKED,
            severity=Severity.WARNING,
            sentence=sentence,
            evidence=evidence,
            advice=_ADVICE[what],
            start_ns=pile[0].start_ns,
            end_ns=self._end_ns,
            weight_ns=mean_ns,
            units=units,
            where=[frame.where for frame in (*place, waits_at) if frame is not None],
        )


def _of_executor(made: tuple[Frame, ...]) -> bool:
    """Whether a stack is of an executor that makes a worker; headway's own workers go by themselves."""
    return any(
        frame.file.endswith("concurrent/futures/thread.py") or "/headway/run/" in frame.file for frame in made
    )


def _place(made: tuple[Frame, ...]) -> Place:
    """Where something was made, by the stack of that; empty if no line of the program is in it."""
    return tuple(frame for frame in made if not frame.of_library)[:2]


def _own(frames: tuple[Frame, ...]) -> Frame | None:
    """The innermost line of the program."""
    return next((frame for frame in frames if not frame.of_library), None)


def _may_be_left(task: Task) -> bool:
    """Whether a task may have been there until the program, or its loop, ended."""
    return task.outcome == "cancelled" or (task.outcome is None and task.waits_for in IDLE)


def _most(some: Iterable[T]) -> T | None:
    """The most frequent one."""
    counts: dict[T, int] = {}
    for one in some:
        counts[one] = counts.get(one, 0) + 1
    return max(counts, key=lambda one: counts[one]) if counts else None
