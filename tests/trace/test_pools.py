"""The findings pool-starved and serial: given where a pool is too small or of no use, not where it looks so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway.trace.findings import Finder, Finding, PoolStarved, Serial, pool_starved
from headway.trace.findings import serial as serial_module
from headway.trace.findings.pool_starved import helpful_size
from headway.trace.format import Kind
from headway.trace.interval import KINDS
from headway.trace.model import Pool, Trace
from synthetic import MS, T0, FakeTrace
from tracing import PROGRAMS, Traced, trace

native = pytest.mark.native


@pytest.fixture(autouse=True)
def every_pool_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever share of the program's life it has: a busy machine makes that longer."""
    for module in (pool_starved, serial_module):
        monkeypatch.setattr(module, "SPAN_SHARE", 0.0)


def found(traced: Traced, finder: Finder) -> list[Finding]:
    return finder.find(Trace(traced.directory), [], [])


def line_of(program: str, text: str) -> str:
    path = PROGRAMS / f"{program}.py"
    (number,) = (i for i, line in enumerate(path.read_text().splitlines(), 1) if text in line)
    return f"{path}:{number}"


@pytest.fixture(scope="module")
def starved(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    return trace("starved", tmp_path=tmp_path_factory.mktemp("starved"))


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    return trace("one_by_one", tmp_path=tmp_path_factory.mktemp("serial"))


@native
def test_pools_too_small_for_what_their_jobs_wait_for_are_starved_and_no_others(starved: Traced) -> None:
    ones = found(starved, PoolStarved())

    assert sorted((one.sentence.split(" stood ")[0], one.severity) for one in ones) == [
        ("a job of batch (ThreadPoolExecutor)", "note"),
        ("a job of stream (ThreadPoolExecutor)", "warning"),
    ]


@native
def test_a_starved_pool_is_told_with_the_size_that_would_help(starved: Traced) -> None:
    (one,) = (one for one in found(starved, PoolStarved()) if "of stream" in one.sentence)

    assert "all 2 workers were taken for" in one.sentence
    assert "asleep" in one.evidence[0]
    size = int(one.advice.split("max_workers=")[1].split(")")[0])
    assert 8 <= size <= 16  # so many threads ask at a time
    assert one.where == [line_of("starved", "pool.submit(naps).result()")]
    assert {starved.name(unit) for unit in one.units} == {"stream_0", "stream_1"}


@native
def test_jobs_that_were_waited_for_one_by_one_are_serial_and_no_others(serial: Traced) -> None:
    (one,) = found(serial, Serial())

    assert one.severity == "note"
    assert one.sentence.startswith(
        "the 10 jobs of needlessly (ThreadPoolExecutor), which may have 4 workers, ran one after the other: "
        "main waited for each at "
    )
    assert one.where[0] == line_of("one_by_one", "needless.result()")
    assert [serial.name(unit) for unit in one.units] == ["main"]
    assert found(serial, PoolStarved()) == []


def fake_pool(tmp_path: Path, **figures: Any) -> Pool:
    fake = FakeTrace(tmp_path / "trace-1", end_ns=T0 + 1000 * MS)
    process = fake.process(end_ns=T0 + 1000 * MS)
    process.thread().then(Kind.PYTHON, 1000 * MS).ends()
    process.pool(first_ns=T0, since_ns=T0 + 900 * MS, **figures)
    (pool,) = Trace(fake.write()).pools
    return pool


def did(**ms: int) -> np.ndarray:
    totals = np.zeros(KINDS, np.int64)
    for name, value in ms.items():
        totals[Kind[name]] = value * MS
    return totals


@pytest.mark.parametrize(
    ("queue", "spent", "cores", "size"),
    [
        (30, {"IO": 1000}, 2, 32),  # as many as wanted one
        (998, {"IO": 1000}, 2, 1000),
        (1, {"IO": 1000}, 2, 0),  # not twice as many
        (2, {"IO": 1000}, 2, 4),  # just twice as many
        (30, {"IO": 900, "PYTHON": 100}, 16, 10),  # the GIL is held by ten of them in turn
        (30, {"IO": 900, "NATIVE": 100}, 2, 20),  # twenty use both cores
        (30, {"IO": 100, "PYTHON": 900}, 16, 0),
    ],
)
def test_the_size_that_would_help_is_bounded_by_work_cores_and_the_gil(
    tmp_path: Path, queue: int, spent: dict[str, int], cores: int, size: int
) -> None:
    pool = fake_pool(tmp_path, size=2, full_ns=100 * MS, full_queue_ns=queue * 100 * MS)

    assert helpful_size(pool, did(**spent), cores) == size


def test_what_goes_on_since_the_last_change_is_counted_to_the_end(tmp_path: Path) -> None:
    figures = {"size": 2, "running": 2, "queued": 3, "some_ns": 100 * MS, "several_ns": 50 * MS}
    pool = fake_pool(tmp_path, **figures, full_ns=10 * MS, full_queue_ns=10 * MS)

    assert (pool.some_ns, pool.several_ns, pool.full_ns) == (200 * MS, 150 * MS, 110 * MS)
    assert pool.full_queue == pytest.approx(310 / 110)


NESTED = """
import os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
limit = float(sys.argv[1]) or None
both = threading.Barrier(2)
children = []
def inner(): pass
def outer():
    both.wait()
    children.append(child := pool.submit(inner))
    child.result(limit)
pool = ThreadPoolExecutor(2, thread_name_prefix="nested")
for _ in range(2):
    pool.submit(outer)
while len(children) < 2 or not all(child._condition._waiters for child in children):
    time.sleep(0.001)
os.kill(os.getpid(), 9)
"""


@native
def test_a_pool_whose_workers_wait_for_jobs_in_its_queue_has_blocked_itself(tmp_path: Path) -> None:
    traced = trace(NESTED, 0, tmp_path=tmp_path)

    (one,) = found(traced, PoolStarved())
    line = {text: i for i, text in enumerate((tmp_path / "prog.py").read_text().splitlines(), 1)}
    assert one.severity == "error"
    assert one.sentence == (
        "all 2 workers of nested (ThreadPoolExecutor) waited to the end for jobs of the same pool, while 2 jobs stood "
        "in its queue"
    )
    assert one.where == [
        f"{tmp_path / 'prog.py'}:{line['    child.result(limit)']}",
        f"{tmp_path / 'prog.py'}:{line['    children.append(child := pool.submit(inner))']}",
    ]
    assert sorted(traced.name(unit) or "" for unit in one.units) == ["nested_0", "nested_1"]
    assert traced.report["verdict"].startswith(("pool-starved", "stuck"))


@native
def test_a_pool_whose_workers_wait_for_a_time_only_has_not(tmp_path: Path) -> None:
    assert found(trace(NESTED, 3600, tmp_path=tmp_path), PoolStarved()) == []
