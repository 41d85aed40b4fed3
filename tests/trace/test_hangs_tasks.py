"""Tasks of asyncio that wait for each other for ever are told while they do; those that only seem to are not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hanging import STILL_S, Run, functions, start, wait_for_start, wait_for_verdict
from headway.trace.report import as_dict
from observed import program_of
from tracing import PROGRAMS, PYMUTEX

pytestmark = [
    pytest.mark.native,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        not os.path.exists("/proc/self/syscall"),
        reason="not for a kernel that does not say in which call a thread is",
    ),
]

DEADLOCKS = {
    "abba": {"Task-2", "Task-3"},
    "circle_of_awaits": {"t0", "t1", "t2"},
    "lock_and_await": {"Task-1", "works"},
}
"""The tasks of each circle."""
STUCK = {
    "queue_that_nobody_fills": {"Task-1", "reader 0", "reader 1", "reader 2"},
    "own_lock": {"Task-1"},
    "beside_an_idle_pool": {"Task-1"},
    "job_that_waits_for_a_task": {"Task-1"},
}
LOOKS = functions("task_lookalikes")
LOOPS = [
    "asyncio",
    pytest.param(
        "uvloop",
        marks=pytest.mark.skipif(not find_spec("uvloop"), reason="not for an installation without uvloop"),
    ),
]


@pytest.fixture(scope="module")
def all_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """All programs at once: they do nothing, and each needs some seconds for that."""
    folder = tmp_path_factory.mktemp("hangs")
    loops = {"asyncio": [], "uvloop": ["uvloop"]} if find_spec("uvloop") else {"asyncio": list[str]()}
    runs = {}
    for loop, args in loops.items():
        for way in DEADLOCKS | STUCK:
            runs[f"{loop} {way}"] = start("task_hangs", way, *args, folder=folder / loop / way)
        for way in LOOKS:
            runs[f"{loop} {way}"] = start("task_lookalikes", way, "1000", *args, folder=folder / loop / way)
    try:
        wait_for_start(runs.values())
        time.sleep(STILL_S)
        yield runs
    finally:
        for run in runs.values():
            run.clear()


def names(run: Run, finding: dict[str, Any]) -> set[str]:
    units = as_dict(run.directory)["units"]
    return {units[number - 1]["name"] for number in finding["units"]}


def test_every_way_to_hang_is_tested() -> None:
    assert sorted(DEADLOCKS | STUCK) == sorted(functions("task_hangs"))


@pytest.mark.parametrize("way", DEADLOCKS | STUCK)
@pytest.mark.parametrize("loop", LOOPS)
def test_tasks_that_hang_are_told_once_while_they_hang(loop: str, way: str, all_runs: dict[str, Run]) -> None:
    if PYMUTEX and way == "job_that_waits_for_a_task":
        pytest.skip("not for Python 3.14 and later: the owner of a lock is not known there")
    run, kind = all_runs[f"{loop} {way}"], "deadlock" if way in DEADLOCKS else "stuck"
    wait_for_verdict(run)
    (found,) = run.found()

    assert found["kind"] == kind
    assert names(run, found) == (DEADLOCKS | STUCK)[way]
    assert found["where"]
    assert run.end(killed=True) == -signal.SIGKILL
    assert run.told() == [kind], run.stderr
    # What the kernel said of its loop is not in the trace; what was told while it ran is.
    assert run.found() == []
    assert f"{kind} " in run.stderr.rsplit("killed by SIGKILL", 1)[1]


def test_a_deadlock_of_tasks_names_the_locks_and_where_they_were_taken(all_runs: dict[str, Run]) -> None:
    wait_for_verdict(all_runs["asyncio abba"])
    told = " ".join(all_runs["asyncio abba"].stderr.split())

    assert "deadlock: 2 tasks wait for each other: `Task-2` and `Task-3`, for " in told
    assert "task `Task-2` waits for `two`, which task `Task-3` holds by `async with two` at " in told
    assert "task `Task-3` waits for `one`, which task `Task-2` holds by `async with one` at " in told
    assert "1 more task cannot go on, either" in told
    assert "hint: take these locks in the same order everywhere" in told


@pytest.mark.skipif(PYMUTEX, reason="not for Python 3.14 and later: the owner of a lock is not known there")
def test_a_job_that_waits_for_a_lock_of_its_task_is_told_with_it(all_runs: dict[str, Run]) -> None:
    wait_for_verdict(all_runs["asyncio job_that_waits_for_a_task"])
    told = " ".join(all_runs["asyncio job_that_waits_for_a_task"].stderr.split())

    assert "stuck: the only task waits for a future, and nothing can let it go on, for " in told
    assert "thread `asyncio_0` waits for a lock, which thread `main` holds; at " in told


@pytest.mark.parametrize("way", LOOKS)
@pytest.mark.parametrize("loop", LOOPS)
def test_tasks_that_only_seem_to_hang_are_not_told(loop: str, way: str, all_runs: dict[str, Run]) -> None:
    run = all_runs[f"{loop} {way}"]
    live = run.found()

    assert run.process.poll() is None, run.stderr
    assert run.end(killed=True) == -signal.SIGKILL
    assert (run.told(), live, run.found()) == ([], [], [])


@pytest.mark.parametrize("way", LOOKS)
@pytest.mark.parametrize("loop", LOOPS)
def test_tasks_that_only_seem_to_hang_go_on_by_themselves(loop: str, way: str) -> None:
    command = [sys.executable, str(PROGRAMS / "task_lookalikes.py"), way, "0.1", loop]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)

    assert ended.stdout == "started\ndone\n"


WAITS = {
    "event": "await asyncio.Event().wait()",
    "future": "await asyncio.get_running_loop().create_future()",
    "gather": "await asyncio.gather(asyncio.Queue().get(), asyncio.sleep(0))",
}


def test_programs_that_wait_for_ctrl_c_are_not_stuck(tmp_path: Path) -> None:
    runs = []
    try:
        for name, waits in WAITS.items():
            (tmp_path / f"{name}.py").write_text(
                "import asyncio\n"
                "async def main():\n"
                "    print('started', flush=True)\n"
                f"    {waits}\n"
                "try:\n"
                "    asyncio.run(main())\n"
                "except KeyboardInterrupt:\n"
                "    print('stopped')\n"
            )
            runs.append(start(str(tmp_path / name), folder=tmp_path / f"run-{name}"))
        wait_for_start(runs)
        time.sleep(STILL_S)
        for run in runs:
            assert (run.told(), run.found()) == ([], [])
            os.kill(program_of(run.process.pid), signal.SIGINT)
            assert run.end(killed=False) == 0
            assert run.stdout == "started\nstopped\n"
    finally:
        for run in runs:
            run.clear()
