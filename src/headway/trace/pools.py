"""Pools: executors with their workers, and exact figures on all jobs that they were given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headway.trace.format import InnerKind, PoolKind
from headway.trace.image import ProcessImage
from headway.trace.inner import numbers
from headway.trace.jobs import submitting
from headway.trace.runs import workers_figures
from headway.trace.stacks import Frame, own_frame

if TYPE_CHECKING:
    from headway.trace.model import Job, Trace


@dataclass(slots=True, kw_only=True)
class Pool:
    """An executor: entry `number` of image `image_index` of the trace. It is known from its first job on.

    Attributes:
        id: From 1 on.
        kind: `PoolKind.THREADS` or `PoolKind.PROCESSES`: what its workers are.
        name: Of its threads, as `ThreadPoolExecutor-0`; empty if that is not known.
        type: Name of its class.
        size: How many workers it may have; None: not known.
        workers: How many threads, or processes, have run a job of it.
        first: The stack where it was given its first job, innermost first.
        jobs: How many it was given; without `lost`.
        lost: How many more it was given, of which nothing else is known.
        beside: Jobs that were submitted while another was in the queue or ran.
        begun, ended: Jobs that a worker has got, and of these those that have ended.
        queue_ns: How long those that have begun were in the queue, together.
        run_ns: How long workers had those that have ended, together.
        queued, running: How many there were when the trace ended. What had begun and not ended, and was not running
            either, ended with its worker.
        some_ns, several_ns: For how long at least one job ran, and at least two.
        full_ns, full_queue: For how long all workers that it may have ran a job while others were in the queue, and how
            many these were on average then.
        start_ns, end_ns: Its first job, and the last change of what is told here.
    """

    id: int
    process: int
    image_index: int
    number: int
    kind: PoolKind
    name: str
    type: str
    size: int | None
    workers: int
    first: tuple[Frame, ...]
    jobs: int
    lost: int
    beside: int
    begun: int
    ended: int
    failed: int
    cancelled: int
    dropped: int
    queued: int
    running: int
    most_queued: int
    most_running: int
    queue_ns: int
    run_ns: int
    longest_queue_ns: int
    longest_run_ns: int
    some_ns: int
    several_ns: int
    full_ns: int
    full_queue: float
    start_ns: int
    end_ns: int

    @property
    def title(self) -> str:
        """What to call it: by its name, and its class where the name does not tell that."""
        if not self.name or not self.type or self.name.startswith(self.type):
            return self.name or self.type or "?"
        return f"{self.name} ({self.type})"

    @property
    def of_multiprocessing(self) -> bool:
        """Whether it is a multiprocessing.Pool."""
        return any(frame.file.endswith("multiprocessing/pool.py") for frame in self.first[:1])

    def jobs_in(self, trace: Trace) -> list[Job]:
        """Those of its jobs that are told one by one."""
        mine = (self.image_index, self.number)
        return [job for job in trace.jobs if (job.image_index, job.pool) == mine]

    @property
    def first_at(self) -> Frame | None:
        """The program's own line that gave it its first job."""
        return own_frame(self.first)

    @property
    def queue_mean_ns(self) -> int:
        """How long a job was in the queue, on average."""
        return self.queue_ns // self.begun if self.begun else 0

    @property
    def run_mean_ns(self) -> int:
        """How long a worker had a job, on average."""
        return self.run_ns // self.ended if self.ended else 0


def pools_of(trace: Trace, worker_processes: dict[int, int]) -> list[Pool]:
    """All pools: those first whose jobs ran for longest.

    Args:
        trace: With its jobs, which need no ids.
        worker_processes: How many processes have run jobs that came through a pipe, by its number.
    """
    found: list[Pool] = []
    jobs: dict[tuple[int, int], list[Job]] = {}
    for job in trace.jobs:
        jobs.setdefault((job.image_index, job.pool), []).append(job)
    for process in trace.processes:
        for index, image_end_ns, _ in process.image_ends:
            image, stacks = trace.images[index], trace.stacks[index]
            for number, entry in enumerate(image.pools):
                if not entry["ready"] or int(entry["kind"]) == PoolKind.WORKER:
                    continue
                # What goes on since the last change.
                until = int(entry["end_ns"]) or image_end_ns
                if int(entry["kind"]) == PoolKind.PROCESSES:
                    figures = _of_processes(
                        image, number, jobs.get((index, number), []), until, worker_processes
                    )
                else:
                    figures = _of_threads(entry, until)
                found.append(
                    Pool(
                        id=0,
                        process=process.id,
                        image_index=index,
                        number=number,
                        kind=PoolKind(int(entry["kind"])),
                        name=stacks.text(int(entry["name"])),
                        type=stacks.text(int(entry["type"])),
                        size=int(entry["size"]) or None,
                        first=submitting(stacks[int(entry["first_stack"])]),
                        start_ns=int(entry["first_ns"]),
                        **figures,
                    )
                )
    found.sort(key=lambda pool: (-pool.run_ns, pool.start_ns))
    for number, pool in enumerate(found, 1):
        pool.id = number
    return found


def _of_threads(entry: Any, until_ns: int) -> dict[str, Any]:
    """The figures that the process itself has counted, with what goes on since the last change."""
    since, queued, running = (int(entry[name]) for name in ("since_ns", "queued", "running"))
    size, full_ns = int(entry["size"]), int(entry["full_ns"])
    queue_weight = int(entry["full_queue_ns"])
    open_ns = max(until_ns - since, 0) if queued or running else 0
    if queued and size and running >= size:
        full_ns += open_ns
        queue_weight += open_ns * queued
    return {
        "queued": queued,
        "running": running,
        "some_ns": int(entry["some_ns"]) + (open_ns if running else 0),
        "several_ns": int(entry["several_ns"]) + (open_ns if running > 1 else 0),
        "full_ns": full_ns,
        "full_queue": queue_weight / full_ns if full_ns else 0.0,
        "end_ns": since + open_ns,
        **{name: int(entry[name]) for name in _FIGURES},
    }


def _of_processes(
    image: ProcessImage, number: int, jobs: list[Job], until_ns: int, worker_processes: dict[int, int]
) -> dict[str, Any]:
    """The figures of the jobs that are told one by one; the process itself does not see what its workers do."""
    entry = image.pools[number]
    known = [job for job in jobs if job.known]
    many = numbers(image, InnerKind.JOB, many=True)
    not_told = sum(int(image.inner["count"][at]) for at in many if int(image.inner["on"][at]) == number)
    return {
        "workers": len({job.run[0] for job in jobs if job.run})
        or worker_processes.get(int(entry["pipe"]), 0),
        "lost": int(entry["lost"]) + not_told + len(jobs) - len(known),
        "beside": int(entry["beside"]),
        **workers_figures(known, int(entry["size"]), int(entry["first_ns"]), until_ns),
    }


_FIGURES = (
    *("workers", "jobs", "lost", "beside", "begun", "ended", "failed", "cancelled", "dropped"),
    *("most_queued", "most_running", "queue_ns", "run_ns", "longest_queue_ns", "longest_run_ns"),
)
