"""Processes that wait for each other for ever are told, while they hang and when they were killed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hanging import STILL_S, Run, start, wait_for_start, wait_for_verdict
from headway.trace.report import as_dict
from tracing import PROGRAMS

pytestmark = [pytest.mark.native, pytest.mark.slow, pytest.mark.timeout(240)]

HANGS = {
    "abba fork": (2, 2),
    "abba spawn": (2, 2),
    "abba forkserver": (2, 2),
    "abba_by_calls fork": (2, 2),
    "abba_of_conditions fork": (2, 2),
    "abba_of_threads fork": (2, 1),
    "circle_of_three fork": (3, 3),
    "lock_and_join fork": (2, 2),
    "own_lock fork": (1, 1),
}
"""How many threads are in the circle, and of how many processes."""
LOOKS = [
    *("circle_with_a_time_limit", "others_release", "semaphores_as_signals", "one_that_takes_long"),
    *("lock_and_join_of_one_that_gives_up", "turns", "idle_workers"),
]


@pytest.fixture(scope="module")
def all_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """All programs at once: they do nothing, and each needs some seconds for that."""
    folder = tmp_path_factory.mktemp("hangs")
    runs = {
        way: start("hangs_processes", *way.split(), folder=folder / way.replace(" ", "-")) for way in HANGS
    }
    runs |= {way: start("lookalikes_processes", way, "1000", folder=folder / way) for way in LOOKS}
    try:
        wait_for_start(runs.values())
        time.sleep(STILL_S)
        yield runs
    finally:
        for run in runs.values():
            run.clear()


@pytest.mark.parametrize("program", ["hangs_processes", "lookalikes_processes"])
def test_every_way_is_tested(program: str) -> None:
    text = (PROGRAMS / f"{program}.py").read_text()
    ways = set(re.findall(r"^def (\w+)\(\) -> None:", text, re.MULTILINE))

    assert ways == ({way.split()[0] for way in HANGS} if program == "hangs_processes" else set(LOOKS))


@pytest.mark.parametrize("way", HANGS)
def test_a_circle_through_processes_is_told_once_while_it_hangs_and_again_in_the_report(
    way: str, all_runs: dict[str, Run]
) -> None:
    run = all_runs[way]
    wait_for_verdict(run)
    live = run.found()

    run.clear()
    assert run.told() == ["deadlock"], run.stderr
    for found in (live, run.found()):
        assert [one["kind"] for one in found] == ["deadlock"], run.stderr
        units = [as_dict(run.directory)["units"][number - 1] for number in found[0]["units"]]
        assert (len(units), len({unit["pid"] for unit in units})) == HANGS[way]
        assert "hangs_processes.py" in found[0]["where"][0]


def test_both_sides_are_told_with_their_processes(all_runs: dict[str, Run]) -> None:
    (found,) = all_runs["abba fork"].found()

    source = (PROGRAMS / "hangs_processes.py").read_text().splitlines()
    waits = [source.index(f"        with {name}:") + 1 for name in ("second", "first")]
    holds = [source.index(f"    with {name}:") + 1 for name in ("second", "first")]
    told = sorted(found["evidence"])
    for wait, hold in zip(waits, holds, strict=True):
        assert any(
            f"hangs_processes.py:{wait} " in one and f"hangs_processes.py:{hold})" in one for one in told
        )
    assert all("multiprocessing.Lock made at " in one and " of process " in one for one in told)
    assert "same order" in found["advice"]


def test_abort_ends_all_processes_of_the_circle(tmp_path: Path) -> None:
    run = start(
        "hangs_processes", "abba", "fork", folder=tmp_path / "run", options=["--on-deadlock", "abort"]
    )

    assert run.end(killed=False) == -signal.SIGABRT
    assert run.told() == ["deadlock"]


@pytest.mark.parametrize("way", LOOKS)
def test_a_look_alike_is_not_told(way: str, all_runs: dict[str, Run]) -> None:
    run = all_runs[way]
    live = run.found()

    assert run.process.poll() is None, run.stderr
    run.clear()
    assert run.told() == []
    assert live == []
    assert run.found() == []


@pytest.mark.parametrize("way", LOOKS)
def test_a_look_alike_goes_on_by_itself(way: str) -> None:
    command = [sys.executable, str(PROGRAMS / "lookalikes_processes.py"), way, "0.1"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)

    assert ended.stdout == "started\ndone\n"
