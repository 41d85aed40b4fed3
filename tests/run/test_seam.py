"""Jobs are reported at the seam: submitted, ended, on which worker, and how long they stood in the queue."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import headway
from headway import seam


class Watcher:
    def __init__(self) -> None:
        self.submitted: list[seam.JobsSubmitted] = []
        self.ended: list[seam.JobsEnded] = []

    def jobs_submitted(self, jobs: seam.JobsSubmitted) -> None:
        self.submitted.append(jobs)

    def jobs_ended(self, jobs: seam.JobsEnded) -> None:
        self.ended.append(jobs)


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    watcher = Watcher()
    seam.install(watcher)
    yield watcher
    seam.uninstall(watcher)


def third_fails(number: int) -> int:
    if number == 2:
        raise ValueError(number)
    return number


@pytest.mark.parametrize("on", ["serial", "threads", "processes"])
def test_each_job_of_a_map_is_reported_once_with_its_times_and_worker(on: str, watcher: Watcher) -> None:
    list(headway.map(third_fails, range(100), on=on, on_error="return"))

    numbers = [jobs.first + n for jobs in watcher.submitted for n in range(jobs.count)]
    assert len(numbers) == len(set(numbers)) == 100
    assert sorted(jobs.first + n for jobs in watcher.ended for n in range(jobs.count)) == sorted(numbers)
    assert {jobs.name for jobs in watcher.submitted} == {f"{third_fails.__module__}:third_fails"}
    assert {jobs.on for jobs in watcher.submitted} == {on}
    (failed,) = [jobs.failed for jobs in watcher.ended if jobs.failed]
    assert list(failed) == [min(numbers) + 2]
    submitted_ns = {jobs.first: jobs.at_ns for jobs in watcher.submitted}
    for jobs in watcher.ended:
        assert jobs.worker
        assert jobs.sent_ns <= jobs.started_ns <= jobs.ended_ns <= jobs.at_ns
        if jobs.first in submitted_ns:
            assert submitted_ns[jobs.first] <= jobs.sent_ns


def test_calls_that_are_left_for_later_are_the_same_jobs(watcher: Watcher) -> None:
    def gets_slow(number: int) -> int:
        if number > 3:
            time.sleep(0.005)
        return number

    assert list(headway.map(gets_slow, range(20), on="serial")) == list(range(20))
    submitted = [jobs.first + n for jobs in watcher.submitted for n in range(jobs.count)]
    ended = [jobs.first + n for jobs in watcher.ended for n in range(jobs.count)]
    assert sorted(ended) == sorted(submitted)
    assert len(ended) == 20


def test_an_executor_reports_its_jobs(watcher: Watcher) -> None:
    with headway.Executor("threads", 2) as executor:
        for future in [executor.submit(pow, 2, number) for number in range(10)]:
            future.result()
    assert [jobs.name for jobs in watcher.submitted] == ["builtins:pow"] * 10
    assert len(watcher.ended) == 10


def test_nobody_is_told_of_jobs_that_were_given_away_before_he_watched() -> None:
    watcher = Watcher()
    results = headway.map(abs, range(10), on="threads", buffer=1)
    next(results)
    seam.install(watcher)
    assert list(results) == list(range(1, 10))
    seam.uninstall(watcher)
    assert len(watcher.ended) == len(watcher.submitted) <= 9
