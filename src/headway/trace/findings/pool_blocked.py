"""pool-starved, for good: all workers of a pool wait for jobs that stand in its own queue."""

from __future__ import annotations

from headway.trace.figures import count, duration
from headway.trace.findings.finding import Finding
from headway.trace.format import NOBODY, Kind
from headway.trace.jobs import Job
from headway.trace.model import Pool, Thread, Trace
from headway.trace.stacks import own_frame, short_path
from headway.units import FindingKind, Severity

_TOLD = 3


def blocked(trace: Trace, pool: Pool) -> list[Finding]:
    """The finding of a pool that has blocked itself.

    All of these must hold: as many jobs run as it may have workers; each of them has submitted a job to this pool that
    is still in its queue, and its worker has waited for a future since, without a time limit, to the end of the trace.
    """
    if not pool.size or not pool.queued or pool.running < pool.size:
        return []
    alive = [job for job in pool.jobs_in(trace) if job.outcome is None]
    children: dict[int | None, list[Job]] = {}
    for job in alive:
        if job.begun_ns is None:
            children.setdefault(job.parent, []).append(job)
    running = [job for job in alive if job.begun_ns is not None]
    workers = [_worker(trace, job, children.get(job.id, [])) for job in running]
    if len(running) != pool.running or any(worker is None for worker in workers):
        return []
    threads = [worker for worker in workers if worker is not None]
    return [_finding(trace, pool, running, threads, children)]


def _worker(trace: Trace, job: Job, children: list[Job]) -> Thread | None:
    """The worker of a job, if it waits for a future, to the end, since it submitted one that has not begun."""
    worker = trace.unit(job.carrier) if job.carrier else None
    if not isinstance(worker, Thread) or not children or not worker.life.open:
        return None
    slot = worker.slot
    waits = int(slot["kind"]) == Kind.FUTURE and int(slot["now_d"]) == NOBODY
    return worker if waits and int(slot["since_ns"]) >= min(child.start_ns for child in children) else None


def _finding(
    trace: Trace, pool: Pool, running: list[Job], workers: list[Thread], children: dict[int | None, list[Job]]
) -> Finding:
    cwd = trace.meta.cwd
    since = max(int(worker.slot["since_ns"]) for worker in workers)
    evidence: list[str] = []
    where: list[str] = []
    for job, worker in zip(running, workers, strict=True):
        frame = own_frame(trace.stacks[worker.image_index][int(worker.slot["now_b"])])
        child = children[job.id][0]
        at = f" at {short_path(frame.file, cwd)}:{frame.line}" if frame is not None else ""
        from_ = child.created_at
        by = f", submitted at {short_path(from_.file, cwd)}:{from_.line}" if from_ is not None else ""
        if len(evidence) < _TOLD:
            evidence.append(
                f"{worker.name} runs `{job.name}`, which waits{at}; `{child.name}`{by}, is in the queue"
            )
        where += [one.where for one in (frame, from_) if one is not None and one.where not in where]
    whole = f"all {len(workers)} workers" if len(workers) > 1 else "the only worker"
    if len(running) > _TOLD:
        evidence.append(f"and {count(len(running) - _TOLD, 'worker')} more")
    return Finding(
        kind=FindingKind.POOL_STARVED,
        severity=Severity.ERROR,
        sentence=(
            f"{whole} of {pool.title} waited to the end for jobs of the same pool, while "
            f"{count(pool.queued, 'job')} stood in its queue"
        ),
        evidence=[*evidence, f"nothing was done there any more for {duration(max(pool.end_ns - since, 0))}"],
        advice="do not wait in a job for jobs of the same pool: give them a pool of their own, or call them",
        start_ns=since,
        end_ns=pool.end_ns,
        weight_ns=max(pool.end_ns - since, 0),
        units=[worker.id for worker in workers],
        where=where,
    )
