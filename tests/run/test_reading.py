"""How results are read: at once when they are there, and no longer than somebody wants them."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import headway


@pytest.mark.parametrize("on", ["threads", "processes", "asyncio"])
def test_who_leaves_the_loop_ends_the_work(on: str, tmp_path: Path) -> None:
    def call(number: int) -> int:
        (tmp_path / str(number)).touch()
        time.sleep(0.02)
        return number

    async def task(number: int) -> int:
        (tmp_path / str(number)).touch()
        await asyncio.sleep(0.02)
        return number

    for number in headway.map(task if on == "asyncio" else call, itertools.count(), on=on, workers=2):
        if number == 2:
            break
    time.sleep(0.05)  # what runs may end
    begun = len(list(tmp_path.iterdir()))
    time.sleep(0.2)
    assert len(list(tmp_path.iterdir())) == begun


def test_who_leaves_an_async_for_ends_the_work() -> None:
    begun: list[int] = []

    async def task(number: int) -> int:
        begun.append(number)
        await asyncio.sleep(0.01)
        return number

    async def main() -> None:
        async for number in headway.map(task, itertools.count(), workers=2):
            if number == 2:
                break
        await asyncio.sleep(0.05)
        count = len(begun)
        await asyncio.sleep(0.1)
        assert len(begun) == count

    asyncio.run(main())


def test_results_that_are_there_do_not_wait_for_a_slow_input() -> None:
    seen: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            while number > 3 + len(seen):  # for ever, if as many items as fit were taken first
                time.sleep(0.001)
            time.sleep(0.005)
            yield number

    for result in headway.map(abs, items(), on="threads"):
        seen.append(result)
    assert seen == list(range(20))


def test_a_task_that_reads_lets_others_run() -> None:
    async def main() -> int:
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(turn())
        async for _ in headway.map(abs, range(3_000_000), on="serial"):
            pass
        other.cancel()
        return turns

    assert asyncio.run(main()) > 3


KEPT = """
import headway, time
def call(number):
    time.sleep(3600 if number else 0)
results = headway.map(call, range(100), on={on!r}, workers=2)
next(results)
{then}
"""


@pytest.mark.parametrize("then", ["1/0", "pass"])
@pytest.mark.parametrize("on", ["threads", "processes"])
def test_a_program_does_not_wait_for_results_that_nobody_reads(on: str, then: str) -> None:
    code = KEPT.format(on=on, then=then)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == (1 if then == "1/0" else 0)
    assert [line for line in done.stderr.splitlines() if "Error" in line] == (
        ["ZeroDivisionError: division by zero"] if then == "1/0" else []
    )
