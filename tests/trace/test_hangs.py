"""Programs that hang are told, while they hang and when they were killed; programs that seem to hang are not."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hanging import STILL_S, Run, functions, start, wait_for_start, wait_for_verdict
from headway.trace.report import as_dict
from tracing import PROGRAMS, PYMUTEX

pytestmark = [pytest.mark.native, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def all_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """All programs at once: they do nothing, and each needs some seconds for that."""
    folder = tmp_path_factory.mktemp("hangs")
    runs = {f"hangs {way}": start("hangs", way, folder=folder / f"h-{way}") for way in ALL}
    runs |= {f"looks {way}": start("lookalikes", way, "1000", folder=folder / f"l-{way}") for way in LOOKS}
    try:
        wait_for_start(runs.values())
        time.sleep(STILL_S)
        yield runs
    finally:
        for run in runs.values():
            run.clear()


DEADLOCKS = {
    "abba": {"forward", "backward"},
    "abba_beside_one_that_works": {"forward", "backward"},
    "abba_beside_one_that_reads": {"forward", "backward"},
    "abba_under_other_names": {"take"},
    "abba_by_calls": {"ahead", "back"},
    "abba_of_objects": {"give", "take"},
    "abba_of_rlocks": {"ahead", "back"},
    "abba_of_conditions": {"ahead", "back"},
    "abba_without_source": {"ahead", "back"},
    "circle_of_three": {"t0", "t1", "t2"},
    "lock_and_join": {"main", "worker"},
    "own_lock": {"outer"},
    "own_lock_by_calls": {"outer"},
    "abba_in_a_child": {"forward", "backward"},
}
"""The threads of each circle."""
STUCK = {
    "queue_that_nobody_fills": {"main", "worker"},
    "pool_that_waits_for_itself": {"main", "ThreadPoolExecutor-0_0"},
    "lock_whose_owner_has_ended": {"main"},
    "lock_held_while_forking": {"main"},
}
ALL = [*DEADLOCKS, *STUCK]
LOOKS = functions("lookalikes")
CLOSED = {"abba", "abba_without_source", "lock_and_join", "abba_in_a_child", *STUCK}
"""Those in which nothing else works, so that even without knowing owners it can be said that they are stuck."""


def names(run: Run, finding: dict[str, Any]) -> set[str]:
    units = as_dict(run.directory)["units"]
    return {units[number - 1]["name"] for number in finding["units"]}


def expected(way: str) -> str | None:
    if PYMUTEX:
        return "stuck" if way in CLOSED else None
    return "deadlock" if way in DEADLOCKS else "stuck"


def test_every_way_to_hang_is_tested() -> None:
    assert sorted(ALL) == sorted(functions("hangs"))


@pytest.mark.parametrize("way", ALL)
def test_a_program_that_hangs_is_told_once_while_it_hangs_and_again_in_the_report(
    way: str, all_runs: dict[str, Run]
) -> None:
    run, kind = all_runs[f"hangs {way}"], expected(way)
    if kind is None:
        pytest.skip("not for Python 3.14 and later: the owner of a lock is not known there")
    wait_for_verdict(run)
    live = run.found()

    assert run.end(killed=True) == -signal.SIGKILL
    assert run.told() == [kind], run.stderr
    assert set(run.stdout.splitlines()) == {"started"}
    for found in (live, run.found()):
        assert [one["kind"] for one in found] == [kind], run.stderr
        if not PYMUTEX:
            assert names(run, found[0]) == (DEADLOCKS | STUCK)[way]
    assert found[0]["where"], found
    assert as_dict(run.directory)["verdict"].startswith(f"{kind}: ")


@pytest.mark.parametrize("way", LOOKS)
def test_a_look_alike_is_not_told(way: str, all_runs: dict[str, Run]) -> None:
    run = all_runs[f"looks {way}"]
    live = run.found()

    assert run.process.poll() is None, run.stderr
    assert run.end(killed=True) == -signal.SIGKILL
    assert run.told() == []
    assert live == []
    assert run.found() == []


@pytest.mark.parametrize("way", LOOKS)
def test_a_look_alike_goes_on_by_itself(way: str) -> None:
    command = [sys.executable, str(PROGRAMS / "lookalikes.py"), way, "0.1"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)

    assert ended.stdout == "started\ndone\n"


needs_owners = pytest.mark.skipif(
    PYMUTEX, reason="not for Python 3.14 and later: the owner of a lock is not known there"
)


@needs_owners
def test_a_deadlock_is_told_with_both_stacks_and_what_to_do(all_runs: dict[str, Run]) -> None:
    (found,) = all_runs["hangs abba"].found()

    source = (PROGRAMS / "hangs.py").read_text().splitlines()
    first, second = (source.index(f"        with {name}:") + 1 for name in ("second", "first"))
    assert f"hangs.py:{first} forward" in found["evidence"][0]
    assert f"hangs.py:{second} backward" in found["evidence"][1]
    assert "which `backward` holds (by `with second` at " in found["evidence"][0]
    assert found["evidence"][2] == "1 thread behind them: `main`"
    assert "same order" in found["advice"]
    assert found["severity"] == "error"


@needs_owners
def test_abort_ends_the_program_by_sigabrt_and_reports(tmp_path: Path) -> None:
    run = start("hangs", "abba", folder=tmp_path / "run", options=["--on-deadlock", "abort"])

    assert run.end(killed=False) == -signal.SIGABRT
    assert run.told() == ["deadlock"]
    assert "\nkilled by SIGABRT\n" in run.stderr
    assert [one["kind"] for one in run.found()] == ["deadlock"]


@needs_owners
def test_abort_ends_the_child_that_hangs_and_the_program(tmp_path: Path) -> None:
    run = start("hangs", "abba_in_a_child", folder=tmp_path / "run", options=["--on-deadlock", "abort"])

    assert run.end(killed=False) == -signal.SIGABRT


@needs_owners
def test_dump_prints_what_each_thread_waits_for_and_its_stack(tmp_path: Path) -> None:
    run = start("hangs", "abba", folder=tmp_path / "run", options=["--on-deadlock", "dump"])
    wait_for_verdict(run)
    while "  backward (tid " not in run.stderr:
        time.sleep(0.01)

    run.end(killed=True)
    heads = re.findall(r"^  (\w+) \(tid \d+\)  waiting: (\w+), for ", run.stderr, re.MULTILINE)
    assert heads == [("main", "join"), ("forward", "lock"), ("backward", "lock")]
    assert re.search(r"^      \S*hangs\.py:\d+ forward$", run.stderr, re.MULTILINE)
    assert "held by `forward`" in run.stderr


@needs_owners
def test_a_deadlock_that_ctrl_c_has_ended_is_still_in_the_report(tmp_path: Path) -> None:
    run = start("hangs", "lock_and_join", folder=tmp_path / "run")
    wait_for_verdict(run)
    os.killpg(run.process.pid, signal.SIGINT)

    assert run.end(killed=False) == -signal.SIGINT
    assert "KeyboardInterrupt" in run.stderr
    assert "while it ran, a finding of deadlock " in " ".join(run.stderr.split())


def test_a_program_that_waits_for_ctrl_c_is_not_stuck(tmp_path: Path) -> None:
    waits = {
        "event": "threading.Event().wait()",
        "queue": "\ntry:\n    queue.Queue().get()\nexcept KeyboardInterrupt:\n    pass",
    }
    runs = []
    for name, code in waits.items():
        program = tmp_path / f"waits_for_{name}.py"
        program.write_text(f"import threading, queue\nprint('started', flush=True)\n{code}\n")
        runs.append(start(str(program.with_suffix("")), folder=tmp_path / name))
    wait_for_start(runs)
    time.sleep(STILL_S)

    for run in runs:
        live = run.found()
        run.end(killed=True)
        assert (live, run.told(), run.found()) == ([], [], [])
