"""Time in a loop is virtual: it stands still while anything can run, and jumps when nothing can."""

import asyncio
import threading
import time

import headway


def test_sleeping_takes_no_time() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        before, clock = loop.time(), time.monotonic()
        await asyncio.sleep(1_000_000)
        assert loop.time() - before == 1_000_000
        assert time.monotonic() - clock == 1_000_000

    headway.explore(scenario, schedules=10)


def test_time_goes_on_for_a_task_that_only_gives_way() -> None:
    async def scenario() -> None:
        done = False

        async def end() -> None:
            nonlocal done
            await asyncio.sleep(1)
            done = True

        task = asyncio.create_task(end())
        while not done:
            await asyncio.sleep(0)
        await task

    headway.explore(scenario, schedules=50)


def test_time_goes_on_for_threads_while_a_loop_only_gives_way() -> None:
    async def scenario() -> None:
        done: list[int] = []

        def work() -> None:
            time.sleep(1)
            done.append(1)

        thread = threading.Thread(target=work)
        thread.start()
        while not done:
            await asyncio.sleep(0)
        thread.join()

    headway.explore(scenario, schedules=50, granularity="sync")


def test_call_at_and_call_later_are_kept_to_and_can_be_cancelled() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        seen: list[float] = []
        start = loop.time()
        loop.call_at(start + 2, lambda: seen.append(loop.time() - start))
        loop.call_later(1, lambda: seen.append(loop.time() - start))
        cancelled = loop.call_later(1.5, seen.append, -1.0)
        assert cancelled.when() == start + 1.5
        cancelled.cancel()
        await asyncio.sleep(3)
        assert seen == [1, 2]

    headway.explore(scenario, schedules=50)


def test_two_tasks_that_give_way_to_each_other_take_turns() -> None:
    async def scenario() -> None:
        turn = 0

        async def play(me: int) -> None:
            nonlocal turn
            for _ in range(3):
                while turn % 2 != me:
                    await asyncio.sleep(0)
                turn += 1

        await asyncio.gather(play(0), play(1))
        assert turn == 6

    headway.explore(scenario, schedules=200)
