"""`on=` may be an executor of headway: its workers then make the calls of maps and scopes, too."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import headway

PROGRAM = """
import sys
import headway

def double(x):
    return 2 * x

if __name__ == "__main__":
    with headway.Executor(sys.argv[1], 2) as executor:
        print(list(headway.map(double, range(4), on=executor)))
        print(list(headway.map(double, range(4), on=executor, workers=1)))
        print(list(headway.pipeline(range(4)) | headway.step(double, on=executor)))
        with headway.scope(on=executor) as s:
            jobs = [s.start(double, n) for n in range(4)]
        print([job.result() for job in jobs])
        with headway.Executor(executor) as outer:
            futures = [outer.submit(double, n) for n in range(4)]
        print([future.result(timeout=0) for future in futures])
        print(executor.submit(double, 4).result())
"""


@pytest.mark.parametrize("kind", ["threads", "processes", "serial", "auto"])
def test_an_executor_runs_functions_of_the_main_file_for_others(kind: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py"), kind], capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["[0, 2, 4, 6]"] * 5 + ["8"]


def exit_at_three(x: int) -> int:
    if x == 3:
        os._exit(1)
    return x


def test_a_worker_of_an_executor_that_dies_loses_one_call_of_a_map() -> None:
    with headway.Executor("processes", 2) as executor:
        found = list(headway.map(exit_at_three, range(6), on=executor, on_error="return"))
    assert isinstance(found.pop(3), headway.WorkerDied)
    assert found == [0, 1, 2, 4, 5]


def test_a_map_on_an_executor_of_processes_may_have_a_time_limit() -> None:
    with headway.Executor("processes", 1) as executor:
        found = list(headway.map(time.sleep, [3600], on=executor, timeout_s=0.05, on_error="return"))
        assert executor.submit(pow, 2, 3).result() == 8
    assert isinstance(found[0], headway.TimedOut)


def test_the_time_limit_of_an_executor_holds_for_the_calls_of_a_map() -> None:
    with headway.Executor("processes", 1, timeout_s=0.05) as executor:
        found = list(headway.map(time.sleep, [3600], on=executor, on_error="return"))
    assert isinstance(found[0], headway.TimedOut)


def test_a_map_that_is_closed_leaves_its_executor_open_and_begins_no_more_calls() -> None:
    begun: list[int] = []
    release = threading.Event()

    def call(x: int) -> int:
        begun.append(x)
        if x:
            release.wait(30)
        return x

    with headway.Executor("threads", 1) as executor:
        results = headway.map(call, range(1000), on=executor, buffer=4)
        assert next(results) == 0
        results.close()
        release.set()
        assert executor.submit(pow, 2, 3).result() == 8
    assert begun in ([0], [0, 1])


def test_a_map_that_is_closed_stops_its_calls_in_the_processes_of_an_executor() -> None:
    with headway.Executor("processes", 1) as executor:
        results = headway.map(time.sleep, [0, 3600], on=executor)
        assert next(results) is None
        results.close()
        assert executor.submit(pow, 2, 3).result() == 8


def test_what_a_map_has_given_to_an_executor_is_done_though_that_is_shut_down() -> None:
    executor = headway.Executor("threads", 1)
    begun, release = threading.Event(), threading.Event()

    def call(x: int) -> int:
        begun.set()
        release.wait(30)
        return x

    results = headway.map(call, [1], on=executor)
    got: list[int] = []
    reader = threading.Thread(target=lambda: got.extend(results))
    reader.start()
    assert begun.wait(30)
    executor.shutdown(wait=False)
    release.set()
    reader.join()
    assert got == [1]


def test_nothing_can_be_mapped_on_an_executor_that_is_shut_down() -> None:
    executor = headway.Executor("threads", 1)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        list(headway.map(abs, [1], on=executor))


class FailsAtFirst:
    """Calls that fail until they have run so often."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.tried: list[int] = []

    def __call__(self, number: int) -> int:
        self.tried.append(number)
        if self.tried.count(number) <= self.times:
            raise ConnectionError(number)
        return number


@pytest.mark.parametrize("workers", [None, 1])
@pytest.mark.parametrize("kind", ["threads", "serial", "auto"])
def test_the_retries_of_an_executor_hold_for_maps_and_pipelines(kind: str, workers: int | None) -> None:
    with headway.Executor(kind, 2, retries=2) as executor:
        call = FailsAtFirst(2)
        results = headway.map(call, range(4), on=executor, workers=workers)
        assert list(results) == [0, 1, 2, 3]
        assert results.report().stages[0].retried == 8
        assert sorted(call.tried) == sorted([*range(4)] * 3)
        step = headway.step(FailsAtFirst(2), on=executor, workers=workers)
        assert list(headway.pipeline(range(4)) | step) == [0, 1, 2, 3]
        with headway.Executor(executor, workers) as outer:
            assert outer.submit(FailsAtFirst(2), 7).result() == 7


@pytest.mark.parametrize("workers", [None, 1])
@pytest.mark.parametrize("kind", ["threads", "auto"])
def test_the_retries_of_a_map_go_before_those_of_its_executor(kind: str, workers: int | None) -> None:
    with headway.Executor(kind, 2, retries=headway.Retry(3)) as executor:
        for times in (0, 1):
            call = FailsAtFirst(9)
            with pytest.raises(ConnectionError):
                list(headway.map(call, [5], on=executor, workers=workers, retries=times))
            assert call.tried == [5] * (1 + times)


@pytest.mark.parametrize("workers", [2, 1])
def test_a_call_that_takes_its_worker_down_is_tried_again_as_often_as_the_executor_says(workers: int) -> None:
    def leave_at_three(number: int) -> int:
        return os._exit(1) if number == 3 else number

    with headway.Executor("processes", 2, retries=2) as executor:
        results = headway.map(leave_at_three, range(6), on=executor, workers=workers, on_error="return")
        found = list(results)
        assert results.report().stages[0].retried == 2
    assert isinstance(found.pop(3), headway.WorkerDied)
    assert found == [0, 1, 2, 4, 5]


def test_a_time_limit_of_an_executor_is_for_one_call_of_a_map_with_fewer_workers() -> None:
    with headway.Executor("processes", 2, timeout_s=1.0) as executor:
        assert list(headway.map(time.sleep, [0.15] * 10, on=executor, workers=1)) == [None] * 10


def test_a_map_that_uses_some_workers_of_an_executor_is_judged_by_its_function() -> None:
    seen: list[int] = []

    def note(number: int) -> int:
        seen.append(number)
        return sum(range(30_000)) and number

    with headway.Executor("auto", 2) as executor:
        assert list(headway.map(note, range(300), on=executor, workers=1)) == list(range(300))
        assert set(executor.why()) == {
            "test_a_map_that_uses_some_workers_of_an_executor_is_judged_by_its_function.<locals>.note"
        }
    assert sorted(seen) == list(range(300))
