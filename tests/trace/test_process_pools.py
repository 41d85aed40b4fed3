"""The findings pool-starved and serial on pools of processes: given where they hold, not where it only looks so."""

from __future__ import annotations

import pytest

from headway.trace.findings import Finder, Finding, PoolStarved, Serial, pool_starved
from headway.trace.findings import serial as serial_module
from headway.trace.model import Trace
from tracing import PROGRAMS, Traced, trace

pytestmark = pytest.mark.native


@pytest.fixture(autouse=True)
def every_pool_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever share of the program's life it has: a busy machine makes that longer."""
    for module in (pool_starved, serial_module):
        monkeypatch.setattr(module, "SPAN_SHARE", 0.0)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    return trace("process_pools", tmp_path=tmp_path_factory.mktemp("pools"))


def found(traced: Traced, finder: Finder) -> list[Finding]:
    return finder.find(Trace(traced.directory), [], [])


def line_of(text: str) -> str:
    path = PROGRAMS / "process_pools.py"
    (number,) = (i for i, line in enumerate(path.read_text().splitlines(), 1) if line.endswith(text))
    return f"{path}:{number}"


def test_pools_too_small_for_what_their_jobs_wait_for_are_starved_and_no_others(traced: Traced) -> None:
    ones = found(traced, PoolStarved())

    assert sorted((one.severity, one.where) for one in ones) == sorted(
        [("warning", [line_of("pool.submit(computes).result()")]), ("note", [line_of("# at once")])]
    )
    assert all("of ProcessPoolExecutor stood" in one.sentence for one in ones)


def test_jobs_that_were_waited_for_one_by_one_are_serial_and_no_others(traced: Traced) -> None:
    ones = found(traced, Serial())

    assert [one.severity for one in ones] == ["note", "note"]
    assert sorted(one.sentence.split(", ")[0] for one in ones) == [
        "the 10 jobs of ProcessPoolExecutor",
        "the 20 jobs of Pool",
    ]
    assert all(
        "which may have 4 workers, ran one after the other: main waited" in one.sentence for one in ones
    )
    assert all(one.advice.endswith("unless they are to have a process of their own") for one in ones)
