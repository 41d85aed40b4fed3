"""A coroutine that reads results by a plain `for` is told, if its event loop had something else to do."""

# ruff: noqa: PT012 (what raises is the end of a block, with all that is in it)

from __future__ import annotations

import asyncio
import socket
import sys
import types
import warnings
from collections.abc import Awaitable, Callable

import pytest

import headway
from headway.run import standstill


@pytest.fixture(autouse=True)
def any_standstill_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standstill, "LONG_NS", 0)


def told(main: Callable[[], Awaitable[object]]) -> list[str]:
    """The warnings that a coroutine function causes, by the name that they begin with."""

    async def run() -> None:
        await main()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(run())
    assert all(issubclass(one.category, headway.HeadwayWarning) for one in caught)
    assert all(one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


async def nothing() -> None:
    pass


def read() -> None:
    assert list(headway.map(abs, range(100), on="threads")) == list(range(100))


@pytest.mark.parametrize("on", ["threads", "serial", "auto"])
def test_a_coroutine_that_keeps_another_task_waiting_is_told_once(on: str) -> None:
    async def main() -> None:
        other = asyncio.create_task(nothing())
        for _ in headway.map(abs, range(1000), on=on):
            pass
        await other

    (text,) = told(main)
    assert text.startswith("main reads results by `for`: its event loop stood still for ")
    assert text.splitlines()[1].startswith("hint: async for")


def test_generators_and_next_are_no_way_around() -> None:
    async def main() -> None:
        other = asyncio.create_task(nothing())
        assert sum(number for number in headway.map(abs, range(10), on="threads")) == 45
        assert next(headway.map(abs, [7], on="threads")) == 7
        await other

    assert len(told(main)) == 2


def test_a_timer_that_is_due_and_a_socket_that_is_ready_are_kept_waiting_too() -> None:
    async def timer() -> None:
        asyncio.get_running_loop().call_later(0, id, 1)
        for _ in headway.map(abs, range(10), on="threads"):
            pass

    async def ready() -> None:
        one, other = socket.socketpair()
        with one, other:
            loop = asyncio.get_running_loop()
            loop.add_reader(one, one.recv, 1)
            other.send(b"1")
            for _ in headway.map(abs, range(10), on="threads"):
                pass
            loop.remove_reader(one)

    assert len(told(timer)) == 1
    assert len(told(ready)) == 1


def test_nobody_is_told_where_nothing_had_to_wait() -> None:
    async def alone() -> None:
        for _ in headway.map(abs, range(10), on="threads"):
            pass

    async def with_idle_tasks() -> None:
        async with asyncio.timeout(3600):
            idle = asyncio.create_task(asyncio.sleep(3600))
            await asyncio.sleep(0)
            for _ in headway.map(abs, range(10), on="threads"):
                pass
            idle.cancel()

    async def in_a_thread() -> None:
        other = asyncio.create_task(nothing())
        await asyncio.to_thread(read)
        await other

    async def by_async_for() -> None:
        other = asyncio.create_task(nothing())
        async for _ in headway.map(abs, range(10), on="threads"):
            pass
        await other

    for main in (alone, with_idle_tasks, in_a_thread, by_async_for):
        assert told(main) == []


def test_a_standstill_that_is_short_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standstill, "LONG_NS", 3600 * 10**9)

    async def main() -> None:
        other = asyncio.create_task(nothing())
        for _ in headway.map(abs, range(10), on="threads"):
            pass
        await other

    assert told(main) == []


def test_standstills_do_not_add_up_where_the_loop_runs_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0]
    watch = standstill.Standstill()
    monkeypatch.setattr(standstill, "LONG_NS", 100)
    monkeypatch.setattr(standstill, "time", types.SimpleNamespace(monotonic_ns=lambda: clock[0]))

    async def read_for(took_ns: int) -> int:
        clock[0] += 1
        began_ns = watch.begin()
        clock[0] += took_ns
        watch.end(began_ns)
        return watch._blocked_ns

    async def main() -> None:
        assert [await read_for(60), await read_for(30)] == [60, 90]
        await asyncio.sleep(0)
        assert await read_for(60) == 60

    asyncio.run(main())


def test_a_plain_function_that_a_coroutine_calls_and_a_cell_of_a_notebook_are_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def helper() -> None:
        other = asyncio.create_task(nothing())
        read()
        await other

    async def cell() -> None:
        monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
        other = asyncio.create_task(nothing())
        for _ in headway.map(abs, range(10), on="threads"):
            pass
        await other

    assert told(helper) == []
    assert told(cell) == []


def test_with_warnings_as_errors_it_ends_the_reading() -> None:
    async def main() -> None:
        other = asyncio.create_task(nothing())
        with warnings.catch_warnings(), pytest.raises(headway.HeadwayWarning):
            warnings.simplefilter("error")
            list(headway.map(abs, range(10), on="threads"))
        await other

    asyncio.run(main())
