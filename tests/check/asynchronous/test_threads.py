"""Threads and loops together: each thread may have a loop, and calls into another's only by the way that is safe."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import headway


@pytest.fixture(params=["threads", "greenlets"])
def explore(request: pytest.FixtureRequest) -> Callable[..., headway.Verdict]:
    def run(scenario: Callable[[], Any], **options: Any) -> headway.Verdict:
        return headway.explore(scenario, carrier=request.param, **options)

    return run


Explore = Callable[..., headway.Verdict]


def test_to_thread_and_executors_give_their_results(explore: Explore) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        assert await asyncio.to_thread(lambda: 1) == 1
        with ThreadPoolExecutor(1) as pool:
            assert await loop.run_in_executor(pool, lambda: 2) == 2

    explore(scenario, schedules=100)


def test_a_thread_that_races_with_the_loop_is_found(explore: Explore) -> None:
    async def scenario() -> None:
        total = [0]

        def add() -> None:
            total[0] += 1

        await asyncio.gather(asyncio.to_thread(add), asyncio.to_thread(add))
        assert total == [2]

    with pytest.raises(headway.ScheduleFailure) as caught:
        explore(scenario)
    assert isinstance(caught.value.__cause__, AssertionError)


def test_threadsafe_calls_wake_a_loop_that_waits(explore: Explore) -> None:
    def scenario() -> None:
        loop = asyncio.new_event_loop()
        seen: list[int] = []

        def call() -> None:
            for item in range(2):
                loop.call_soon_threadsafe(seen.append, item)
            loop.call_soon_threadsafe(loop.stop)

        thread = threading.Thread(target=call)
        thread.start()
        loop.run_forever()
        thread.join()
        loop.close()
        assert seen == [0, 1]

    explore(scenario, schedules=200)


def test_a_call_that_is_not_threadsafe_may_never_be_noticed(explore: Explore) -> None:
    def scenario() -> None:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=lambda: loop.call_soon(loop.stop))
        thread.start()
        loop.run_forever()
        thread.join()
        loop.close()

    with pytest.raises(headway.ScheduleFailure) as caught:
        explore(scenario)
    assert caught.value.kind in ("deadlock", "lost-wakeup")


def test_threads_with_a_loop_each_keep_apart(explore: Explore) -> None:
    def scenario() -> None:
        results: list[int] = []
        lock = threading.Lock()

        async def work(number: int) -> None:
            await asyncio.sleep(0)
            with lock:
                results.append(number)
            assert asyncio.current_task() is not None
            await asyncio.sleep(1)

        threads = [threading.Thread(target=lambda n=n: asyncio.run(work(n))) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == [0, 1]

    explore(scenario, schedules=200)


def test_coroutines_can_be_given_to_the_loop_of_another_thread(explore: Explore) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()

        async def answer() -> int:
            await asyncio.sleep(1)
            return 42

        def ask() -> int:
            return asyncio.run_coroutine_threadsafe(answer(), loop).result(timeout=10)

        assert await asyncio.to_thread(ask) == 42

    explore(scenario, schedules=100)


def test_a_loop_that_blocks_in_a_lock_of_threads_is_a_deadlock(explore: Explore) -> None:
    def scenario() -> None:
        lock = threading.Lock()

        async def one() -> None:
            with lock:
                await asyncio.sleep(0)

        async def both() -> None:
            await asyncio.gather(one(), one())

        asyncio.run(both())

    with pytest.raises(headway.ScheduleFailure) as caught:
        explore(scenario)
    assert caught.value.kind == "deadlock"
