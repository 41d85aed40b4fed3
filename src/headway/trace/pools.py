"""Pools: executors with their workers, and exact figures on all jobs that they were given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.trace.stacks import Frame, own_frame

if TYPE_CHECKING:
    from headway.trace.model import Job, Trace


@dataclass(slots=True, kw_only=True)
class Pool:
    """An executor: entry `number` of image `image_index` of the trace. It is known from its first job on.

    Attributes:
        id: From 1 on.
        name: Of its threads, as `ThreadPoolExecutor-0`; empty if that is not known.
        type: Name of its class.
        size: How many workers it may have; None: not known.
        workers: How many threads have run a job of it.
        first: The stack where it was given its first job, innermost first.
        jobs: How many it was given; without `lost`.
        lost: How many more it was given, of which nothing else is known.
        beside: Jobs that were submitted while another was in the queue or ran.
        begun, ended: Jobs that a worker has got, and of these those that have ended.
        queue_ns: How long those that have begun were in the queue, together.
        run_ns: How long workers had those that have ended, together.
        queued, running: How many there were when the trace ended.
        some_ns, several_ns: For how long at least one job ran, and at least two.
        full_ns, full_queue: For how long all workers that it may have ran a job while others were in the queue, and how
            many these were on average then.
        start_ns, end_ns: Its first job, and the last change of what is told here.
    """

    id: int
    process: int
    image_index: int
    number: int
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


def pools_of(trace: Trace) -> list[Pool]:
    """All pools: those first whose jobs ran for longest."""
    found: list[Pool] = []
    for process in trace.processes:
        for index, image_end_ns in ((index, end_ns) for index, end_ns, _ in process.image_ends):
            image, stacks = trace.images[index], trace.stacks[index]
            for number, entry in enumerate(image.pools):
                if not entry["ready"]:
                    continue
                since, queued, running = (int(entry[name]) for name in ("since_ns", "queued", "running"))
                size, full_ns = int(entry["size"]), int(entry["full_ns"])
                queue_weight = int(entry["full_queue_ns"])
                # What goes on since the last change.
                until = int(entry["end_ns"]) or image_end_ns
                open_ns = max(until - since, 0) if queued or running else 0
                if queued and size and running >= size:
                    full_ns += open_ns
                    queue_weight += open_ns * queued
                found.append(
                    Pool(
                        id=0,
                        process=process.id,
                        image_index=index,
                        number=number,
                        name=stacks.text(int(entry["name"])),
                        type=stacks.text(int(entry["type"])),
                        size=size or None,
                        first=stacks[int(entry["first_stack"])],
                        queued=queued,
                        running=running,
                        some_ns=int(entry["some_ns"]) + (open_ns if running else 0),
                        several_ns=int(entry["several_ns"]) + (open_ns if running > 1 else 0),
                        full_ns=full_ns,
                        full_queue=queue_weight / full_ns if full_ns else 0.0,
                        start_ns=int(entry["first_ns"]),
                        end_ns=since + open_ns,
                        **{name: int(entry[name]) for name in _FIGURES},
                    )
                )
    found.sort(key=lambda pool: (-pool.run_ns, pool.start_ns))
    for number, pool in enumerate(found, 1):
        pool.id = number
    return found


_FIGURES = (
    *("workers", "jobs", "lost", "beside", "begun", "ended", "failed", "cancelled", "dropped"),
    *("most_queued", "most_running", "queue_ns", "run_ns", "longest_queue_ns", "longest_run_ns"),
)
