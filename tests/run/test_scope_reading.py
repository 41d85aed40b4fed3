"""The end of a scope ends the maps and pipelines that are read in it, and their calls."""

# ruff: noqa: PT012 (what raises is the end of a block, with all that is in it)

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import headway
from headway.run.options import OnError

SOON_S = 0.1


class Calls:
    """A call on threads that does not end before the test does; only that of 0 ends at once."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.release = threading.Event()

    def __call__(self, number: int) -> int:
        if number:
            self.began.set()
            self.release.wait()
        return number


@pytest.fixture
def wait_for_ever() -> Iterator[Calls]:
    calls = Calls()
    yield calls
    calls.release.set()


def sleep(number: int) -> int:
    time.sleep(3600 if number else 0)
    return number


async def sleep_in_task(number: int) -> int:
    await asyncio.sleep(3600 if number else 0)
    return number


@pytest.mark.parametrize("on", ["auto", "threads"])
def test_a_deadline_ends_a_map_that_waits_for_threads(on: str, wait_for_ever: Calls) -> None:
    with pytest.raises(headway.TimedOut, match=r"not done within 0\.1 s"), headway.scope(deadline_s=SOON_S):
        for number in headway.map(wait_for_ever, itertools.count(), on=on):
            assert number == 0


@pytest.mark.parametrize("on", ["processes", "asyncio", "greenlets"])
def test_a_deadline_ends_a_map_and_stops_its_calls(on: str) -> None:
    if on == "greenlets":
        gevent = pytest.importorskip("gevent")
    fns: dict[str, Callable[[int], Any]] = {
        "asyncio": sleep_in_task,
        "processes": sleep,
        "greenlets": lambda number: gevent.sleep(3600 if number else 0) or number,
    }
    results = headway.map(fns[on], itertools.count(), on=on, workers=2)
    with pytest.raises(headway.TimedOut, match="not done within"), headway.scope(deadline_s=1.0):
        for number in results:
            assert number == 0
    assert list(results) == []


def test_a_deadline_leaves_no_worker_process_with_a_call(tmp_path: Path) -> None:
    def call(number: int) -> None:
        (tmp_path / str(os.getpid())).touch()
        time.sleep(3600)

    with pytest.raises(headway.TimedOut), headway.scope(deadline_s=1.0):
        list(headway.map(call, [1, 2], on="processes", workers=1))
    (pid,) = (int(file.name) for file in tmp_path.iterdir())
    while Path(f"/proc/{pid}").exists():  # until it is reaped; for ever, if it was not killed
        time.sleep(0.01)


def test_a_deadline_cancels_the_tasks_of_a_map() -> None:
    cancelled = threading.Event()

    async def call(number: int) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(headway.TimedOut), headway.scope(deadline_s=SOON_S):
        list(headway.map(call, [1]))
    assert cancelled.wait(30)


def test_a_deadline_ends_a_map_whose_results_are_all_there() -> None:
    read = []
    with pytest.raises(headway.TimedOut), headway.scope(deadline_s=SOON_S) as s:
        for number in headway.map(abs, range(1000), on="serial"):
            read.append(number)
            while number == 2 and not s.cancelled:
                time.sleep(0.001)
    assert read == [0, 1, 2]


@pytest.mark.parametrize("on_error", ["return", "skip"])
def test_it_ends_though_failures_of_calls_are_no_reason_to_end(on_error: OnError) -> None:
    never: headway.Channel[int] = headway.Channel()
    with pytest.raises(headway.TimedOut), headway.scope(deadline_s=SOON_S):
        for _ in headway.map(lambda _: never.receive(), itertools.count(), on="threads", on_error=on_error):
            pass


def test_a_deadline_ends_a_pipeline() -> None:
    with pytest.raises(headway.TimedOut), headway.scope(deadline_s=1.0):
        list(headway.pipeline([1]) | headway.step(abs) | headway.step(sleep, on="processes"))


def test_a_call_of_a_scope_that_reads_a_map_ends_with_it(wait_for_ever: Calls) -> None:
    def read() -> None:
        list(headway.map(wait_for_ever, [1], on="threads"))

    with headway.scope() as s:
        job = s.start(read)
        assert wait_for_ever.began.wait(30)
        s.cancel()
    assert job.cancelled()


def test_a_call_that_fails_ends_a_map_in_the_body(wait_for_ever: Calls) -> None:
    with pytest.raises(ExceptionGroup) as caught, headway.scope() as s:
        s.start(lambda: 1 / 0)
        list(headway.map(wait_for_ever, [1], on="threads"))
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]


@pytest.mark.parametrize("on", ["auto", "threads", "processes", "asyncio"])
def test_a_deadline_ends_a_map_that_a_task_reads(on: str, wait_for_ever: Calls) -> None:
    async def main() -> None:
        async with headway.scope(deadline_s=SOON_S):
            fns: dict[str, Callable[[int], object]] = {"asyncio": sleep_in_task, "processes": sleep}
            fn = fns.get(on, wait_for_ever)
            async for number in headway.map(fn, itertools.count(), on=on):
                assert number == 0

    with pytest.raises(headway.TimedOut, match=r"not done within 0\.1 s"):
        asyncio.run(main())


def test_a_map_outside_of_the_scope_goes_on() -> None:
    results = headway.map(abs, range(4), on="threads")
    with pytest.raises(headway.TimedOut), headway.scope(deadline_s=0) as s:
        while not s.cancelled:
            time.sleep(0.001)
        list(headway.map(abs, [1], on="threads"))
    assert list(results) == [0, 1, 2, 3]
