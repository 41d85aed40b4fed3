"""Greenlets of gevent that wait for each other for ever are told while they do; those that only seem to are not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from hanging import STILL_S, Run, functions, start, wait_for_start, wait_for_verdict
from headway.trace.report import as_dict
from tracing import PROGRAMS, PYMUTEX

pytestmark = [
    pytest.mark.native,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not find_spec("gevent"), reason="not for an installation without gevent"),
    pytest.mark.skipif(
        not os.path.exists("/proc/self/syscall"),
        reason="not for a kernel that does not say in which call a thread is",
    ),
]

CROSSWISE = {"take_crosswise.<locals>.ahead", "take_crosswise.<locals>.back"}
DEADLOCKS = {
    "abba": CROSSWISE,
    "abba_of_rlocks": CROSSWISE,
    "abba_of_patched_locks": CROSSWISE,
    "circle_of_joins": {"g0", "g1", "g2"},
    "lock_and_join": {"main", "lock_and_join.<locals>.works"},
    "after_a_child": {"main", "lock_and_join.<locals>.works"},
}
"""The greenlets of each circle."""
STUCK = {
    "own_lock": {"main"},
    "queue_that_nobody_fills": {"main", "queue_that_nobody_fills.<locals>.gets"},
    "event_that_nobody_sets": {"main", "event_that_nobody_sets.<locals>.waits"},
    "job_that_waits_for_greenlets": {"main", "job_that_waits_for_greenlets.<locals>.tells"},
}
LOOKS = functions("greenlet_lookalikes")


@pytest.fixture(scope="module")
def all_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """All programs at once: they do nothing, and each needs some seconds for that."""
    folder = tmp_path_factory.mktemp("hangs")
    runs = {way: start("greenlet_hangs", way, folder=folder / f"h-{way}") for way in DEADLOCKS | STUCK}
    runs |= {way: start("greenlet_lookalikes", way, "1000", folder=folder / f"l-{way}") for way in LOOKS}
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
    assert sorted([*DEADLOCKS, *STUCK, "keep_hub"]) == sorted(functions("greenlet_hangs"))


@pytest.mark.parametrize("way", DEADLOCKS | STUCK)
def test_greenlets_that_hang_are_told_once_while_they_hang(way: str, all_runs: dict[str, Run]) -> None:
    run, kind = all_runs[way], "deadlock" if way in DEADLOCKS else "stuck"
    wait_for_verdict(run)
    (found,) = run.found()

    assert found["kind"] == kind
    assert names(run, found) == (DEADLOCKS | STUCK)[way]
    assert found["where"]
    assert run.end(killed=True) == -signal.SIGKILL
    assert run.told() == [kind], run.stderr
    # What the kernel said of its hub is not in the trace; what was told while it ran is.
    assert run.found() == []


def test_a_deadlock_of_greenlets_names_the_locks_and_where_they_were_taken(all_runs: dict[str, Run]) -> None:
    wait_for_verdict(all_runs["abba"])
    told = " ".join(all_runs["abba"].stderr.split())

    assert "deadlock: 2 greenlets wait for each other: `take_crosswise.<locals>." in told
    assert "waits for `two`, which greenlet `take_crosswise.<locals>.back` holds by `with two` at " in told
    assert "waits for `one`, which greenlet `take_crosswise.<locals>.ahead` holds by `with one` at " in told
    assert "1 more greenlet cannot go on, either" in told
    assert "hint: take these locks in the same order everywhere" in told


def test_a_thread_that_waits_for_greenlets_is_told_with_them(all_runs: dict[str, Run]) -> None:
    wait_for_verdict(all_runs["job_that_waits_for_greenlets"])
    told = " ".join(all_runs["job_that_waits_for_greenlets"].stderr.split())

    assert "all 2 greenlets wait for what only another one of them or a thread beside them could do" in told
    owner = "" if PYMUTEX else ", which thread `main` holds"
    assert f" waits for a lock{owner}; at " in told


@pytest.mark.parametrize("way", LOOKS)
def test_greenlets_that_only_seem_to_hang_are_not_told(way: str, all_runs: dict[str, Run]) -> None:
    run = all_runs[way]
    live = run.found()

    assert run.process.poll() is None, run.stderr
    assert run.end(killed=True) == -signal.SIGKILL
    assert (run.told(), live, run.found()) == ([], [], [])


@pytest.mark.parametrize("way", LOOKS)
def test_greenlets_that_only_seem_to_hang_go_on_by_themselves(way: str) -> None:
    command = [sys.executable, str(PROGRAMS / "greenlet_lookalikes.py"), way, "0.1"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)

    assert ended.stdout == "started\ndone\n"
