"""pool-starved: jobs stood in the queue of a pool whose workers all waited for something outside the program."""

from __future__ import annotations

import numpy as np

from headway.trace.figures import count, duration, percent
from headway.trace.findings.finding import Finding
from headway.trace.findings.pool_blocked import blocked
from headway.trace.format import Ints, Kind, PoolKind
from headway.trace.gil import Gil
from headway.trace.interval import KINDS, RUNNING
from headway.trace.jobs import Calls, calls_of
from headway.trace.locks import Lock
from headway.trace.model import Pool, Trace
from headway.trace.stacks import short_path
from headway.units import FindingKind, Severity

JOBS = 20
"""A pool that was given fewer is not judged: the first ones wait for their workers to start."""
SIZE = 2
"""A pool that may have one worker is a way to have one at a time."""
SPAN_NS = 200_000_000
"""For so long, together, all workers that the pool may have ran a job while others stood in its queue."""
SPAN_SHARE = 0.10
"""And for this share of the program's life."""
QUEUE_RATIO = 4.0
"""A job stood in the queue so many times as long as it ran, on average."""
OUTSIDE_SHARE = 0.75
"""Workers spent this share of their jobs in I/O, asleep or waiting for a process. Else more of them would wait for the
GIL, a core or a lock together, or for what other threads do."""
GAIN = 2.0
"""So many times as many workers would have had work, and cores and the GIL to do it."""
BATCH_SHARE = 0.5
"""Where this share of all jobs was in the queue at once, they were given at once: the line is what a pool is for, and
the finding is a note that they could have ended sooner."""

_OUTSIDE = [Kind.SLEEP, Kind.IO, Kind.PROCESS]
_RAN = [kind for kind in range(1, KINDS) if Kind.PYTHON <= kind <= Kind.OTHER or kind == RUNNING]
_USED = [Kind.PYTHON, Kind.NATIVE, RUNNING, Kind.GIL, Kind.CPU]
_DOING = {Kind.SLEEP: "asleep", Kind.IO: "in I/O", Kind.PROCESS: "waiting for a process"}


class PoolStarved:
    """Finds pools that are too small for what their jobs wait for.

    All of these must hold; the constants above say why: the pool may have `SIZE` workers and was given `JOBS` jobs; for
    `SPAN_NS` and `SPAN_SHARE` of the program's life all its workers ran a job while others were in its queue; a job was
    there `QUEUE_RATIO` times as long as it ran; workers spent `OUTSIDE_SHARE` of their jobs waiting for something
    outside the program; and `GAIN` times as many workers would have had work, cores and the GIL. Or it has blocked
    itself for good: see `pool_blocked.blocked`.
    """

    def find(self, trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
        """See `Finder`."""
        for_good = [finding for pool in trace.pools for finding in blocked(trace, pool)]
        return for_good + self._too_small(trace)

    def _too_small(self, trace: Trace) -> list[Finding]:
        starved = [pool for pool in trace.pools if _waits_in_line(trace, pool)]
        if not starved:
            return []
        calls = calls_of(trace)
        found = []
        for pool in starved:
            mine = [one for one in calls if one.pool == pool.id]
            did: Ints = np.sum([one.totals for one in mine], axis=0, dtype=np.int64)
            size = helpful_size(pool, did, trace.meta.cores)
            if int(did[_OUTSIDE].sum()) >= OUTSIDE_SHARE * int(did[_RAN].sum()) and size:
                found.append(_finding(trace, pool, mine, did, size))
        return found


def _waits_in_line(trace: Trace, pool: Pool) -> bool:
    return (
        (pool.size or 0) >= SIZE
        and pool.begun >= JOBS
        and pool.full_ns >= max(SPAN_NS, SPAN_SHARE * trace.wall_ns)
        and pool.queue_mean_ns >= QUEUE_RATIO * pool.run_mean_ns > 0
    )


def helpful_size(pool: Pool, did: Ints, cores: int | None) -> int:
    """How many workers would have had work, cores and the GIL; 0: no more than `GAIN` times as many as there are.

    While all workers ran, as many jobs as were in the queue could have run, too. Each of them wants a core, and the
    GIL, for the share of its time that it took before: together they get as many cores as there are, and threads get
    one GIL.
    """
    ran_ns = int(did[_RAN].sum())
    wanted = (pool.size or 0) + pool.full_queue
    if core_ns := int(did[_USED].sum()):
        wanted = min(wanted, (cores or 1) * ran_ns / core_ns)
    python_ns = int(did[[Kind.PYTHON, Kind.GIL, RUNNING]].sum())
    if python_ns and pool.kind is not PoolKind.PROCESSES:  # each process has a GIL of its own
        wanted = min(wanted, ran_ns / python_ns)
    size = int(wanted)
    while size >= 100 and size % 10:
        size -= 1
    return size if size >= GAIN * (pool.size or 0) else 0


def _finding(trace: Trace, pool: Pool, mine: list[Calls], did: Ints, size: int) -> Finding:
    cwd, ran_ns = trace.meta.cwd, int(did[_RAN].sum())
    at_once = pool.most_queued >= BATCH_SHARE * pool.jobs
    doing = sorted(((int(did[kind]), kind) for kind in _OUTSIDE if did[kind]), reverse=True)
    evidence = [
        "while their workers had them, jobs were "
        + ", ".join(f"{percent(ns, ran_ns)} {_DOING[Kind(kind)]}" for ns, kind in doing),
        f"up to {count(pool.most_queued, 'job')} {'was' if pool.most_queued == 1 else 'were'} in the queue"
        + (", which were given at once" if at_once else ""),
    ]
    top, frame = mine[0], pool.first_at
    if frame is not None:
        evidence.append(
            f"{percent(top.run_ns, ran_ns)} of the time was of `{top.name}`; "
            f"the first job came from {short_path(frame.file, cwd)}:{frame.line}"
        )
    return Finding(
        kind=FindingKind.POOL_STARVED,
        severity=Severity.NOTE if at_once else Severity.WARNING,
        sentence=(
            f"a job of {pool.title} stood {duration(pool.queue_mean_ns)} in the queue and ran "
            f"{duration(pool.run_mean_ns)} on average: all {pool.size} workers were taken for {duration(pool.full_ns)}"
        ),
        evidence=evidence,
        advice=(
            f"let it have {size} workers (max_workers={size}): so many would have had work; "
            "what they wait for must bear as many at a time"
        ),
        start_ns=pool.start_ns,
        end_ns=pool.end_ns,
        weight_ns=pool.full_ns,
        units=list(dict.fromkeys(job.carrier for job in pool.jobs_in(trace) if job.carrier)),
        where=[frame.where] if frame is not None else [],
    )
