"""Jobs of executors: their lives, their exact totals, and what each function of a pool came to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.trace.format import NOBODY, InnerFlag, InnerKind, Ints, Kind, PoolKind
from headway.trace.image import ProcessImage
from headway.trace.inner import closed, numbers, outcome, totals
from headway.trace.interval import KINDS, QUEUED
from headway.trace.runs import pipe_of, pool_kind
from headway.trace.stacks import Frame, Stacks, own_frame
from headway.trace.unit import Unit
from headway.units import UnitKind

if TYPE_CHECKING:
    from headway.trace.model import Process, Trace


@dataclass(slots=True, kw_only=True)
class Job(Unit):
    """One call that was given to an executor: entry `number` of `image`, which is image `image_index` of the trace.

    It is ready from when it was submitted until a worker gets it, and ends when that asks for the next one, or, in
    another process, packs its result. In between its state is what the worker does.

    Attributes:
        pool: Number of its pool in the image.
        carrier: Id of the worker; None if none has got it.
        function: The first line of what it calls; without a line if that is not a function of Python.
        created: The stack of who submitted it, innermost first.
        outcome: `done`, `failed`, `cancelled`, `dropped` (nobody will run it), or None: it had not ended.
        begun_ns: When a worker got it; None: none has.
        run_ns: For how long its worker had it.
        run: Of one that ran in another process, image and entry that tell of that.
        known: When it began and what it did is known; not so if it ran in a process that was not traced.
    """

    image_index: int
    number: int
    pool: int
    carrier: int | None
    function: Frame | None
    created: tuple[Frame, ...]
    outcome: str | None
    begun_ns: int | None
    run_ns: int
    run: tuple[int, int] | None = None
    known: bool = True

    @property
    def created_at(self) -> Frame | None:
        """The program's own line that submitted it."""
        return own_frame(self.created)

    @property
    def queue_ns(self) -> int:
        """For how long it was in the queue."""
        return int(self.totals[QUEUED])


@dataclass(slots=True)
class Calls:
    """The jobs of one pool that call one function: those that are told one by one, and those that are not.

    Attributes:
        pool: Id of the pool; 0: not known.
        count, alive, failed, cancelled, dropped: How many of them; `alive`: had not ended.
        run_ns, longest_ns: How long their workers had them, and the longest.
        totals: ns by kind, as `states.Life.totals`, of all; of those not told one by one that had not ended, without
            their last state.
        queue_known: How long they were in the queue is known: of jobs of processes only if each is told.
        run_known: What they did is known: not so if some ran in a process that was not traced.
    """

    process: int
    pool: int
    name: str
    function: Frame | None
    count: int
    alive: int
    failed: int
    cancelled: int
    dropped: int
    run_ns: int
    longest_ns: int
    totals: Ints
    queue_known: bool = True
    run_known: bool = True

    @property
    def queue_ns(self) -> int:
        """How long they were in the queue, together."""
        return int(self.totals[QUEUED])


def jobs_of(
    process: Process, image_index: int, image: ProcessImage, stacks: Stacks, end_ns: int, *, ended: bool
) -> Iterator[Job]:
    """The jobs of an image that are told one by one, in order of submission; without ids and links."""
    for number in numbers(image, InnerKind.JOB, many=False):
        entry = image.inner[number]
        if pool_kind(image, int(entry["on"])) == PoolKind.WORKER:
            continue  # it is the half of a job that another process submitted
        own_end, start = int(entry["end_ns"]), int(entry["created_ns"])
        how = outcome(InnerFlag(int(entry["flags"]) & 31)) if own_end else None
        if how is None and (gone := _queue_freed_ns(entry, image)):
            entry = entry.copy()
            entry["total_ns"][Kind.NONE] += max(gone - int(entry["since_ns"]), 0)
            entry["end_ns"] = own_end = gone
            how = "dropped"
        end = max(own_end or end_ns, start)
        function = stacks.frame(int(entry["code"]))
        runs = int(entry["state"]) == Kind.PYTHON and not own_end
        yield Job(
            id=0,
            kind=UnitKind.JOB,
            name=_short(function),
            parent=None,
            process=process.id,
            pid=process.pid,
            start_ns=start,
            end_ns=end,
            ended=bool(own_end) or ended,
            totals=totals(entry, image, end),
            carrier=None,
            image_index=image_index,
            number=number,
            pool=int(entry["on"]),
            function=function,
            created=submitting(stacks[int(entry["create_stack"])]),
            outcome=how,
            begun_ns=int(entry["begun_ns"]) or None,
            run_ns=int(entry["loop_ns"]) + (max(end - int(entry["since_ns"]), 0) if runs else 0),
        )


def submitting(stack: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """The stack of who submitted a job, from `submit` on: without how that wakes the thread that sends it."""
    at = next((i for i, frame in enumerate(stack) if frame.function == "_ThreadWakeup.wakeup"), -1)
    return stack[at + 1 :]


def calls_of(trace: Trace) -> list[Calls]:
    """All jobs by pool and function: those first that ran for longest."""
    ids = {(pool.image_index, pool.number): pool.id for pool in trace.pools}
    with_workers = {pool.id for pool in trace.pools if pool.workers}
    found: dict[tuple[int, int, object], Calls] = {}
    for job in trace.jobs:
        calls = _calls(found, job.process, ids.get((job.image_index, job.pool), 0), job.function)
        calls.count += 1
        calls.alive += job.outcome is None
        calls.failed += job.outcome == "failed"
        calls.cancelled += job.outcome == "cancelled"
        calls.dropped += job.outcome == "dropped"
        calls.run_ns += job.run_ns
        calls.longest_ns = max(calls.longest_ns, job.run_ns)
        calls.totals += job.totals
        calls.queue_known &= job.known
        calls.run_known &= job.known
    for process in trace.processes:
        for index in process.images:
            image, stacks = trace.images[index], trace.stacks[index]
            for number in numbers(image, InnerKind.JOB, many=True):
                entry = image.inner[number]
                kind = pool_kind(image, int(entry["on"]))
                if kind == PoolKind.WORKER:
                    continue
                pool = ids.get((index, int(entry["on"])), 0)
                calls = _calls(found, process.id, pool, stacks.frame(int(entry["code"])))
                calls.count += int(entry["count"])
                calls.alive += int(entry["live"])
                calls.failed += int(entry["failed"])
                calls.cancelled += int(entry["cancelled"])
                if kind == PoolKind.PROCESSES:
                    calls.queue_known = False
                    calls.run_known &= pool in with_workers
                    continue
                calls.run_ns += int(entry["loop_ns"])
                calls.longest_ns = max(calls.longest_ns, int(entry["longest_ns"]))
                calls.totals += closed(entry, image)
    by_pipe = {
        pipe: pool for pool in trace.pools if (pipe := pipe_of(trace.images[pool.image_index], pool.number))
    }
    for (pipe, function), others in trace.other_runs.items():
        if pipe in by_pipe:
            calls = _calls(found, by_pipe[pipe].process, by_pipe[pipe].id, function)
            calls.run_ns += others.run_ns
            calls.longest_ns = max(calls.longest_ns, others.longest_ns)
            calls.totals += np.sum(others.totals, axis=0, dtype=np.int64)
    return sorted(found.values(), key=lambda calls: (-calls.run_ns, calls.pool, calls.name))


def _queue_freed_ns(entry: Any, image: ProcessImage) -> int:
    """Of one in the queue: when that was freed, with all that was in it; 0: it was not."""
    pool = int(entry["on"])
    in_queue = int(entry["state"]) == Kind.NONE and pool != NOBODY and pool < len(image.pools)
    return int(image.pools["end_ns"][pool]) if in_queue else 0


def _short(function: Frame | None) -> str:
    return function.function if function is not None else "?"


def _calls(
    found: dict[tuple[int, int, object], Calls], process: int, pool: int, function: Frame | None
) -> Calls:
    key = (process, pool, function)
    if key not in found:
        found[key] = Calls(
            process, pool, _short(function), function, 0, 0, 0, 0, 0, 0, 0, np.zeros(KINDS, np.int64)
        )
    return found[key]
