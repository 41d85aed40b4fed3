"""Both halves of a job that ran in another process: which belong together, and what the figures of the pool come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headway.trace.format import InnerFlag, InnerKind, Kind, PoolKind
from headway.trace.interval import QUEUED, UNKNOWN
from headway.trace.jobs import Job
from headway.trace.model import Trace
from synthetic import MS, T0, FakeProcess, FakeTrace

END = T0 + 1000 * MS


class Pools:
    """A program with one worker process, and the pools that are in both."""

    def __init__(self, tmp_path: Path) -> None:
        self.fake = FakeTrace(tmp_path / "trace-1", end_ns=END)
        self.parent, self.worker = (self._process(pid) for pid in (100, 200))

    def _process(self, pid: int) -> FakeProcess:
        process = self.fake.process(pid=pid, end_ns=END)
        process.thread().then(Kind.PYTHON, 1000 * MS).ends()
        return process

    def pool(self, pipe: int, size: int = 2, **fields: Any) -> tuple[int, int]:
        """The numbers of one pool, in the parent and in the worker."""
        given = self.parent.pool(
            kind=PoolKind.PROCESSES, pipe=pipe, size=size, first_ns=T0, since_ns=T0, **fields
        )
        return given, self.worker.pool("", kind=PoolKind.WORKER, pipe=pipe, first_ns=T0, since_ns=T0)

    def submitted(
        self, pool: tuple[int, int], number: int, at_ms: int, back_ms: int = 0, **fields: Any
    ) -> None:
        back = {"end_ns": T0 + back_ms * MS, "steps": 1} if back_ms else {}
        self.parent.task(
            "",
            **{"at_ns": T0 + at_ms * MS, "since_ns": T0 + at_ms * MS, **back, **fields},
            kind=InnerKind.JOB,
            on=pool[0],
            number=number,
        )

    def ran(
        self, pool: tuple[int, int], number: int, begun_ms: int, end_ms: int | None, **fields: Any
    ) -> None:
        begun = T0 + begun_ms * MS
        over = (
            {"end_ns": T0 + end_ms * MS, "totals": {Kind.SLEEP: (end_ms - begun_ms) * MS}}
            if end_ms is not None
            else {"state": Kind.PYTHON, "since_ns": begun}
        )
        self.worker.task(
            "",
            **{"at_ns": begun, "begun_ns": begun, **over, **fields},
            kind=InnerKind.JOB,
            on=pool[1],
            number=number,
        )

    def read(self) -> Trace:
        return Trace(self.fake.write())


@pytest.fixture
def pools(tmp_path: Path) -> Pools:
    return Pools(tmp_path)


def times(job: Job) -> tuple[int, int | None, int]:
    begun = None if job.begun_ns is None else (job.begun_ns - T0) // MS
    return (job.start_ns - T0) // MS, begun, (job.end_ns - T0) // MS


def test_halves_with_the_same_pipe_and_number_are_one_job(pools: Pools) -> None:
    one, other = pools.pool(7), pools.pool(8)
    pools.submitted(one, 0, 10, 90)
    pools.submitted(other, 0, 11, 91)
    pools.ran(other, 0, 40, 50)
    pools.ran(one, 0, 20, 30)
    trace = pools.read()

    assert [times(job) for job in trace.jobs] == [(10, 20, 30), (11, 40, 50)]
    assert [job.outcome for job in trace.jobs] == ["done", "done"]
    assert [int(job.totals[QUEUED]) for job in trace.jobs] == [10 * MS, 29 * MS]
    assert all(int(job.totals[Kind.SLEEP]) == job.run_ns == 10 * MS for job in trace.jobs)
    assert all(trace.unit(job.carrier or 0).pid == 200 for job in trace.jobs)
    assert len([unit for unit in trace.units if isinstance(unit, Job)]) == 2


def test_a_pipe_that_has_a_number_of_an_older_one_is_told_from_it_by_the_time(pools: Pools) -> None:
    old, new = pools.pool(7), pools.pool(7)
    pools.submitted(old, 0, 10, 60)
    pools.submitted(new, 0, 500, 560)
    pools.ran(new, 0, 510, 550)
    pools.ran(old, 0, 20, 50)

    assert [times(job) for job in pools.read().jobs] == [(10, 20, 50), (500, 510, 550)]


def test_a_worker_may_be_quicker_than_the_thread_that_submits(pools: Pools) -> None:
    pool = pools.pool(7)
    pools.submitted(pool, 0, 12, 90)
    pools.ran(pool, 0, 10, 30)
    (job,) = pools.read().jobs

    assert (times(job), job.queue_ns) == ((10, 10, 30), 0)


def test_a_result_of_which_no_worker_tells_leaves_unknown_what_was_before(pools: Pools) -> None:
    pool = pools.pool(7)
    pools.submitted(pool, 0, 10, 60, flags=InnerFlag.FAILED)
    trace = pools.read()
    (job,) = trace.jobs

    assert (job.known, job.outcome, job.begun_ns) == (False, "failed", None)
    assert int(job.totals[UNKNOWN]) == 50 * MS
    (one,) = trace.pools
    assert (one.jobs, one.lost, one.begun, one.queue_ns) == (0, 1, 0, 0)


def test_a_job_has_failed_if_its_worker_says_so_or_its_result_could_not_be_packed(pools: Pools) -> None:
    pool = pools.pool(7)
    for number, (here, there) in enumerate([(0, InnerFlag.FAILED), (InnerFlag.FAILED, 0), (0, 0)]):
        pools.submitted(pool, number, 10, 60, flags=here)
        pools.ran(pool, number, 20 + number, 30 + number, flags=there)

    assert [job.outcome for job in pools.read().jobs] == ["failed", "failed", "done"]


def test_the_figures_of_a_pool_are_those_of_its_jobs(pools: Pools) -> None:
    pool = pools.pool(7)
    for number, (begun, end) in enumerate([(20, 120), (20, 220), (120, 320), (220, None)]):
        pools.submitted(pool, number, 10, (end or 0) + 5 if end else 0)
        pools.ran(pool, number, begun, end)
    pools.submitted(pool, 4, 400)
    (one,) = pools.read().pools

    assert (one.jobs, one.begun, one.ended, one.running, one.queued) == (5, 4, 3, 0, 1)
    assert (one.most_queued, one.most_running) == (4, 2)
    assert (one.queue_ns, one.longest_queue_ns) == ((10 + 10 + 110 + 210) * MS, 210 * MS)
    assert (one.run_ns, one.longest_run_ns) == ((100 + 200 + 200) * MS, 200 * MS)
    assert one.some_ns == 980 * MS
    assert one.several_ns == 300 * MS
    # Two ran, with two and then one in the queue; from 220 ms on nothing stood there while two ran.
    assert one.full_ns == 200 * MS
    assert one.full_queue == pytest.approx(1.5)
    assert one.workers == 1
