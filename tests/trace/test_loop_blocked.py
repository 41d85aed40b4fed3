"""The finding loop-blocked: given where a task kept its loop from others, and not where it only looks so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headway.trace.findings.loop_blocked import LONG_NS, blocked_by, own_ns
from headway.trace.format import Flag, Kind
from headway.trace.model import Trace
from headway.trace.steps import Steps, steps_of
from synthetic import GIL_PYTHON, MS, T0, FakeTrace
from tracing import Report, Traced, trace

HEAD = """
import asyncio, sys, threading, time
async def ticks():
    for _ in range(5):
        await asyncio.sleep(0.02)
async def beside(coroutine):
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(ticks())
        group.create_task(coroutine, name="culprit")
def busy(s):
    end = time.thread_time() + s
    while time.thread_time() < end:
        pass
"""

native = pytest.mark.native


def found(traced: Traced) -> list[Report]:
    return [one for one in traced.report["findings"] if one["kind"] == "loop-blocked"]


def line_of(text: str, tmp_path: Path) -> str:
    lines = (tmp_path / "prog.py").read_text().splitlines()
    (number,) = (i for i, line in enumerate(lines, 1) if text in line)
    return f"{tmp_path / 'prog.py'}:{number}"


@native
def test_a_task_that_sleeps_in_its_thread_blocks_the_loop_at_that_line(tmp_path: Path) -> None:
    source = """
async def culprit():
    await asyncio.sleep(0.01)
    time.sleep(0.25)
asyncio.run(beside(culprit()))
"""
    traced = trace(HEAD + source, tmp_path=tmp_path)

    (one,) = found(traced)
    assert one["where"] == [line_of("time.sleep(0.25)", tmp_path)]
    assert "task `culprit` kept its event loop for " in one["sentence"]
    assert "3 other tasks" in one["sentence"]
    assert "asyncio.sleep()" in one["advice"]
    (unit,) = one["units"]
    assert traced.name(unit) == "culprit"
    assert one["end_s"] - one["start_s"] >= 0.25


@native
def test_a_task_that_computes_blocks_the_loop_before_the_line_where_it_gives_way(tmp_path: Path) -> None:
    source = """
async def culprit():
    await asyncio.sleep(0.01)
    busy(0.3)
    await asyncio.sleep(0.001)
asyncio.run(beside(culprit()))
"""
    traced = trace(HEAD + source, tmp_path=tmp_path)

    (one,) = found(traced)
    assert one["where"] == [line_of("asyncio.sleep(0.001)", tmp_path)]
    assert "running Python" in one["evidence"][0]
    assert "run_in_executor" in one["advice"]


@native
def test_steps_of_one_coroutine_are_one_finding(tmp_path: Path) -> None:
    source = """
async def culprit():
    for _ in range(3):
        await asyncio.sleep(0.01)
        time.sleep(0.15)
async def many():
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(culprit())
asyncio.run(beside(many()))
"""
    traced = trace(HEAD + source, tmp_path=tmp_path)

    (one,) = found(traced)
    assert len(one["units"]) == 2
    assert "6 such steps" in " ".join(one["evidence"]) or "5 such steps" in " ".join(one["evidence"])


@native
def test_connections_that_come_meanwhile_are_late(tmp_path: Path) -> None:
    source = """
import socket
def ask(port):
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.recv(10)
async def answer(reader, writer):
    time.sleep(0.15)
    writer.write(b"answer")
    writer.close()
async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(asyncio.to_thread(ask, port))
asyncio.run(main())
"""
    traced = trace(HEAD + source, tmp_path=tmp_path)

    (one,) = found(traced)
    assert one["where"] == [line_of("time.sleep(0.15)", tmp_path)]


ALIKE = {
    "nobody else": """
async def alone():
    busy(0.3)
    await asyncio.sleep(0)
    time.sleep(0.2)
asyncio.run(alone())
""",
    "before the others are made": """
async def main():
    time.sleep(0.3)
    await asyncio.gather(ticks(), ticks())
asyncio.run(main())
""",
    "it gives way often enough": """
async def polite():
    for _ in range(20):
        busy(0.02)
        await asyncio.sleep(0)
asyncio.run(beside(polite()))
""",
    "only who waits for it was late": """
async def slow():
    time.sleep(0.15)
async def main():
    await asyncio.gather(slow())
    await asyncio.shield(slow())
    await asyncio.wait([asyncio.create_task(slow())])
    await asyncio.wait_for(slow(), 5)
    async with asyncio.TaskGroup() as group:
        group.create_task(slow())
    for done in asyncio.as_completed([slow()]):
        await done
    async def inner():
        await asyncio.create_task(slow())
    await inner()
asyncio.run(main())
""",
    "in a thread": """
asyncio.run(beside(asyncio.to_thread(busy, 0.3)))
""",
    "a task that waits for long": """
asyncio.run(beside(asyncio.sleep(0.4)))
""",
    "a loop that idles": """
async def main():
    asyncio.get_running_loop().call_later(0.4, event.set)
    await asyncio.gather(*(event.wait() for _ in range(5)))
event = asyncio.Event()
asyncio.run(main())
""",
    "other threads have the GIL": """
sys.setswitchinterval(0.05)
async def short():
    for _ in range(5):
        time.sleep(0)
        busy(0.005)
        time.sleep(0)
async def main():
    for _ in range(4):
        await asyncio.gather(short(), ticks())
threads = [threading.Thread(target=busy, args=(0.5,)) for _ in range(3)]
[thread.start() for thread in threads]
asyncio.run(main())
""",
}


@native
@pytest.mark.parametrize("alike", ALIKE)
def test_what_only_looks_like_it_is_no_finding(alike: str, tmp_path: Path) -> None:
    traced = trace(HEAD + ALIKE[alike], tmp_path=tmp_path)

    assert found(traced) == []


def steps(
    tmp_path: Path, *, late: int = 3, ms: int = 300, off_ms: int = 0, gil_ms: int = 0, delay_ms: int = 0
) -> tuple[Trace, Steps]:
    """A loop whose thread runs Python for a while, of which it was off the core, or wanted the GIL, for a part."""
    fake = FakeTrace(tmp_path / "trace", end_ns=T0 + 1000 * MS)
    process = fake.process(end_ns=T0 + 1000 * MS, flags=GIL_PYTHON | Flag.TASKS)
    loop = process.thread()
    process.task("culprit", at_ns=T0, end_ns=T0 + 1000 * MS)
    loop.then(Kind.PYTHON, 100 * MS)
    loop.then(Kind.GIL, gil_ms * MS).then(Kind.PYTHON, (ms - gil_ms) * MS)
    if off_ms:
        loop.off_core(T0 + 100 * MS, T0 + (100 + ms) * MS, off_ms * MS, 0)
    loop.long_step(0, T0 + 100 * MS, ms * MS, late=late, delay_ms=delay_ms)
    loop.then(Kind.IO, (900 - ms) * MS).ends()
    read = Trace(fake.write())
    return read, steps_of(read)


def test_a_step_is_judged_by_its_own_doing(tmp_path: Path) -> None:
    read, found_steps = steps(tmp_path)
    (step,) = found_steps.long

    assert own_ns(step) == 300 * MS
    assert int(np.sum(step.did)) == step.ns
    (finding,) = blocked_by(read, found_steps)
    assert "task `culprit` kept its event loop for 300 ms" in finding.sentence


@pytest.mark.parametrize(
    "how",
    [
        {"off_ms": 201},
        {"gil_ms": 201},
        {"delay_ms": 201},
        {"off_ms": 120, "delay_ms": 201},
        {"late": 0},
        {"ms": 99},
    ],
)
def test_a_loop_that_was_kept_off_the_core_or_from_the_gil_is_not_blocked(
    how: dict[str, int], tmp_path: Path
) -> None:
    read, found_steps = steps(tmp_path, **how)

    assert len(found_steps.long) == 1
    assert blocked_by(read, found_steps) == []


@pytest.mark.parametrize(
    "how", [{"off_ms": 200}, {"gil_ms": 200}, {"off_ms": 200, "delay_ms": 200}, {"late": 1}, {"ms": 100}]
)
def test_the_limits_are_what_they_say(how: dict[str, int], tmp_path: Path) -> None:
    read, found_steps = steps(tmp_path, **how)

    assert LONG_NS == 100 * MS
    assert len(blocked_by(read, found_steps)) == 1
