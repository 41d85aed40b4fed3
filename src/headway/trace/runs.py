"""Jobs that ran in another process than the one that submitted them: each has told its half, and here they meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.trace.format import InnerFlag, InnerKind, Ints, PoolKind
from headway.trace.image import ProcessImage
from headway.trace.inner import closed, numbers, outcome, totals
from headway.trace.interval import KINDS, QUEUED, UNKNOWN
from headway.trace.stacks import Frame

if TYPE_CHECKING:
    from headway.trace.jobs import Job
    from headway.trace.model import Trace

_EARLY_NS = 100_000_000
"""A worker may have a job before the thread that submitted it, and was kept from going on, has noted that."""


@dataclass(slots=True)
class Run:
    """A worker's half of a job: entry `number` of image `image_index`.

    Attributes:
        end_ns: When the job ended, or the worker's process did, or the trace.
        over: The job or its process has ended.
        outcome: Of the job: `done` or `failed`; None: it had not ended.
    """

    image_index: int
    number: int
    begun_ns: int
    end_ns: int
    over: bool
    outcome: str | None
    run_ns: int
    totals: Ints


@dataclass(slots=True)
class Others:
    """Runs of one function that belong to jobs that are not told one by one."""

    run_ns: int = 0
    longest_ns: int = 0
    totals: list[Ints] = field(default_factory=list)


def pool_kind(image: ProcessImage, pool: int) -> int:
    """The kind of a pool of an image; 0: there is none of that number."""
    return int(image.pools["kind"][pool]) if pool < len(image.pools) and image.pools["ready"][pool] else 0


def pipe_of(image: ProcessImage, pool: int) -> int:
    """The inode number of a pool's pipe; 0: it has none."""
    return int(image.pools["pipe"][pool]) if pool < len(image.pools) else 0


class Runs:
    """The workers' halves of all jobs of a trace.

    Attributes:
        workers: How many processes have run jobs that came through a pipe, by its number.
    """

    def __init__(self, trace: Trace) -> None:
        self._by_number: dict[tuple[int, int], list[Run]] = {}
        self._many: list[tuple[int, int, int]] = []
        self._trace = trace
        self.workers: dict[int, int] = {}
        for process in trace.processes:
            for index, end_ns, ended in process.image_ends:
                image = trace.images[index]
                if not (image.pools["kind"] == PoolKind.WORKER).any():
                    continue
                for pipe in {
                    int(p["pipe"]) for p in image.pools if p["ready"] and p["kind"] == PoolKind.WORKER
                }:
                    self.workers[pipe] = self.workers.get(pipe, 0) + 1
                self._read(index, image, end_ns, ended=ended)
        for runs in self._by_number.values():
            runs.sort(key=lambda run: run.begun_ns)

    def _read(self, index: int, image: ProcessImage, end_ns: int, *, ended: bool) -> None:
        for many in (False, True):
            for number in numbers(image, InnerKind.JOB, many=many):
                entry = image.inner[number]
                pool = int(entry["on"])
                if pool_kind(image, pool) != PoolKind.WORKER:
                    continue
                pipe = pipe_of(image, pool)
                if many:
                    self._many.append((pipe, index, number))
                else:
                    run = _run(index, number, entry, image, end_ns, ended=ended)
                    self._by_number.setdefault((pipe, int(entry["number"])), []).append(run)

    def take(self, pipe: int, number: int, submitted_ns: int) -> Run | None:
        """The run of a job, which is its own from now on; None: there is none."""
        runs = self._by_number.get((pipe, number), [])
        at = next((i for i, run in enumerate(runs) if run.begun_ns >= submitted_ns - _EARLY_NS), None)
        return runs.pop(at) if at is not None else None

    def others(self) -> dict[tuple[int, Frame | None], Others]:
        """What is left: by the number of the pipe, and the function."""
        found: dict[tuple[int, Frame | None], Others] = {}
        for (pipe, _), runs in self._by_number.items():
            for run in runs:
                entry = self._trace.images[run.image_index].inner[run.number]
                frame = self._trace.stacks[run.image_index].frame(int(entry["code"]))
                _add(found.setdefault((pipe, frame), Others()), run.run_ns, run.run_ns, run.totals)
        for pipe, index, number in self._many:
            image = self._trace.images[index]
            entry = image.inner[number]
            frame = self._trace.stacks[index].frame(int(entry["code"]))
            others = found.setdefault((pipe, frame), Others())
            _add(others, int(entry["loop_ns"]), int(entry["longest_ns"]), closed(entry, image))
        return found


def join(job: Job, entry: Any, run: Run | None) -> None:
    """Give a job what its worker has told of it.

    Args:
        job: As its own process knows it: until its result was back it was in the queue.
        entry: Its entry there.
        run: Its worker's half; None: there is none.
    """
    if run is None:
        if int(entry["steps"]):  # its result has come
            job.known = False
            job.totals[:] = 0
            job.totals[UNKNOWN] = job.end_ns - job.start_ns
        return
    failed = bool(int(entry["flags"]) & InnerFlag.FAILED)
    job.run = run.image_index, run.number
    job.start_ns = min(job.start_ns, run.begun_ns)
    job.begun_ns, job.end_ns, job.ended = run.begun_ns, run.end_ns, run.over
    # Its result may be one that cannot be packed: then it has failed after all.
    job.outcome = "failed" if failed and run.outcome else run.outcome
    job.run_ns = run.run_ns
    job.totals = run.totals.copy()
    job.totals[QUEUED] = run.begun_ns - job.start_ns


def workers_figures(jobs: list[Job], size: int, start_ns: int, until_ns: int) -> dict[str, Any]:
    """What is told of a pool of processes, by its jobs: the fields of `pools.Pool`.

    Args:
        jobs: All of them.
        size: How many workers it may have; 0: not known.
        start_ns: Its first job.
        until_ns: When it was gone, or the trace ended.
    """
    begun = [job for job in jobs if job.begun_ns is not None]
    ended = [job for job in begun if job.outcome is not None]
    queue = [int(job.totals[QUEUED]) for job in begun]
    run = [job.run_ns for job in ended]
    moments: list[tuple[int, int, int]] = []
    for job in jobs:
        moments.append((job.start_ns, 1, 0))
        if job.begun_ns is not None:
            moments.append((job.begun_ns, -1, 1))
        if job.ended or job.outcome is not None:
            moments.append((job.end_ns, 0, -1) if job.begun_ns is not None else (job.end_ns, -1, 0))
    counts = _counts(moments, size, start_ns, until_ns)
    return {
        "jobs": len(jobs),
        "begun": len(begun),
        "ended": len(ended),
        **{name: sum(job.outcome == name for job in jobs) for name in ("failed", "cancelled", "dropped")},
        "queue_ns": sum(queue),
        "longest_queue_ns": max(queue, default=0),
        "run_ns": sum(run),
        "longest_run_ns": max(run, default=0),
        "queued": sum(job.begun_ns is None and job.outcome is None for job in jobs),
        "running": sum(job.outcome is None and not job.ended for job in begun),
        **counts,
    }


def _counts(moments: list[tuple[int, int, int]], size: int, start_ns: int, until_ns: int) -> dict[str, Any]:
    """How many were in the queue and ran, and for how long that was so.

    Args:
        moments: When it was, and by how many those in the queue and those that run changed then.
        size: As for `workers_figures`, and so are the others.
        start_ns: When there are no moments, it is the end.
        until_ns: To when what has not ended goes on.
    """
    if not moments:
        empty = ("most_queued", "most_running", "some_ns", "several_ns", "full_ns")
        return {**dict.fromkeys(empty, 0), "full_queue": 0.0, "end_ns": start_ns}
    changes = np.array(sorted(moments), np.int64)
    at = changes[:, 0]
    queued, running = np.cumsum(changes[:, 1]), np.cumsum(changes[:, 2])
    # The counts hold until the next change; the last ones, of what had not ended, to the end.
    goes_on = bool(queued[-1] or running[-1])
    end_ns = max(int(at[-1]), until_ns if goes_on else 0)
    lasted = np.diff(at, append=end_ns)
    full = (queued > 0) & (running >= size) if size else np.zeros(len(at), bool)
    full_ns = int(lasted[full].sum())
    return {
        # Of several changes in one nanosecond only the last counts.
        "most_queued": int(queued[lasted > 0].max(initial=0)),
        "most_running": int(running[lasted > 0].max(initial=0)),
        "some_ns": int(lasted[running > 0].sum()),
        "several_ns": int(lasted[running > 1].sum()),
        "full_ns": full_ns,
        "full_queue": int((lasted * queued)[full].sum()) / full_ns if full_ns else 0.0,
        "end_ns": end_ns,
    }


def _run(index: int, number: int, entry: Any, image: ProcessImage, end_ns: int, *, ended: bool) -> Run:
    own_end, begun = int(entry["end_ns"]), int(entry["begun_ns"]) or int(entry["created_ns"])
    end = max(own_end or end_ns, begun)
    return Run(
        image_index=index,
        number=number,
        begun_ns=begun,
        end_ns=end,
        over=bool(own_end) or ended,
        outcome=outcome(InnerFlag(int(entry["flags"]) & 31)) if own_end else None,
        run_ns=end - begun,
        totals=totals(entry, image, end),
    )


def _add(others: Others, run_ns: int, longest_ns: int, totals: Ints) -> None:
    others.run_ns += run_ns
    others.longest_ns = max(others.longest_ns, longest_ns)
    assert len(totals) == KINDS
    others.totals.append(totals)
