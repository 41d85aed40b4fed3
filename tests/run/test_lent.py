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
