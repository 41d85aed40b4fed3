"""The order of what is ready: what may come in any order does, what asyncio promises is kept."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import headway

Scenario = Callable[[], Coroutine[Any, Any, object]]


def outcomes(scenario: Scenario, **options: Any) -> set[object]:
    """What a scenario returns under all its schedules."""
    found: set[object] = set()

    async def collect() -> None:
        found.add(await scenario())

    verdict = headway.explore(collect, **{"strategy": "bounded", "schedules": 3000, **options})
    assert verdict.exhausted
    return found


def test_tasks_that_are_ready_run_in_any_order() -> None:
    async def scenario() -> str:
        seen: list[str] = []

        async def say(word: str) -> None:
            seen.append(word)

        await asyncio.gather(*(say(word) for word in "abc"))
        return "".join(seen)

    assert outcomes(scenario) == {"".join(order) for order in itertools.permutations("abc")}


def test_steps_of_two_tasks_interleave_in_all_ways() -> None:
    async def scenario() -> str:
        seen: list[str] = []

        async def say(word: str) -> None:
            for _ in range(2):
                seen.append(word)
                await asyncio.sleep(0)

        await asyncio.gather(say("a"), say("b"))
        return "".join(seen)

    assert outcomes(scenario) == {"".join(order) for order in itertools.permutations("aabb")}


def test_callbacks_are_called_in_the_order_in_which_they_were_given() -> None:
    async def scenario() -> None:
        seen: list[int] = []
        others = []
        loop = asyncio.get_running_loop()
        for number in range(3):
            loop.call_soon(seen.append, number)
            others.append(asyncio.create_task(asyncio.sleep(0)))
        await asyncio.sleep(1)
        assert seen == [0, 1, 2]

    headway.explore(scenario, schedules=300)


def test_a_callback_comes_before_steps_that_became_ready_after_it() -> None:
    async def scenario() -> None:
        tasks: set[asyncio.Task[None]] = set()
        others = [asyncio.create_task(asyncio.sleep(0)) for _ in range(2)]
        task = asyncio.create_task(asyncio.sleep(0))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await task
        assert not tasks
        await asyncio.wait(others)

    headway.explore(scenario, schedules=500)


def test_sleep_0_lets_those_run_that_the_task_has_started() -> None:
    async def scenario() -> None:
        begun = 0

        async def inner() -> None:
            nonlocal begun
            begun += 1

        async def work() -> None:
            nonlocal begun
            begun += 1
            tasks.append(asyncio.create_task(inner()))

        tasks = [asyncio.create_task(work()) for _ in range(3)]
        await asyncio.sleep(0)
        assert begun >= 3
        await asyncio.sleep(0)
        assert begun == 6

    headway.explore(scenario, schedules=500)


def test_sleep_0_lets_those_run_whom_the_task_has_woken() -> None:
    async def scenario() -> None:
        event = asyncio.Event()
        woken: list[int] = []

        async def wait(number: int) -> None:
            await event.wait()
            woken.append(number)

        async def wake() -> None:
            await asyncio.sleep(1)
            event.set()
            await asyncio.sleep(0)
            assert sorted(woken) == [1, 2]

        await asyncio.gather(wait(1), wake(), wait(2))

    headway.explore(scenario, schedules=500)


def test_timers_of_one_moment_fire_in_any_order_and_later_ones_later() -> None:
    async def scenario() -> str:
        seen: list[str] = []
        loop = asyncio.get_running_loop()
        for word, delay in (("a", 0.3), ("b", 0.1 + 0.2), ("c", 0.5)):
            loop.call_later(delay, seen.append, word)
        await asyncio.sleep(1)
        return "".join(seen)

    assert outcomes(scenario) == {"abc", "bac"}


def test_a_timeout_and_what_it_waits_for_may_come_in_either_order_at_the_same_moment() -> None:
    async def scenario() -> str:
        try:
            async with asyncio.timeout(1):
                await asyncio.sleep(1)
        except TimeoutError:
            return "late"
        return "in time"

    assert outcomes(scenario) == {"late", "in time"}


def test_a_timeout_that_is_later_does_not_fire() -> None:
    async def scenario() -> None:
        async def work() -> None:
            for _ in range(10):
                await asyncio.sleep(0)
            await asyncio.sleep(0.999)

        await asyncio.wait_for(work(), 1)

    assert headway.explore(scenario, schedules=100).schedules


def test_the_plain_schedule_is_that_of_asyncio() -> None:
    seen: list[list[str]] = []

    async def scenario() -> None:
        order: list[str] = []
        seen.append(order)

        async def say(word: str) -> None:
            for _ in range(2):
                order.append(word)
                await asyncio.sleep(0)

        await asyncio.gather(*(say(word) for word in "abc"))

    headway.explore(scenario, schedules=1)
    asyncio.run(scenario())
    assert seen[0] == seen[1]


def test_sets_of_tasks_have_the_same_order_each_time() -> None:
    async def scenario() -> tuple[object, ...]:
        event = asyncio.Event()
        tasks = {asyncio.create_task(event.wait(), name=name) for name in "abcdef"}
        await asyncio.sleep(1)
        event.set()
        done, _ = await asyncio.wait(tasks)
        return tuple(task.get_name() for task in done), tuple(task.get_name() for task in asyncio.all_tasks())

    found: set[object] = set()

    async def collect() -> None:
        found.add(await scenario())

    for _ in range(5):
        headway.explore(collect, schedules=1)
    assert len(found) == 1


def test_names_of_tasks_are_counted_anew_in_each_execution() -> None:
    names: set[tuple[str, ...]] = set()

    async def scenario() -> None:
        first = asyncio.create_task(asyncio.sleep(0))
        second = asyncio.create_task(asyncio.sleep(0), name="second")
        third = asyncio.Task(asyncio.sleep(0))
        names.add(tuple(task.get_name() for task in (first, second, third)))
        await asyncio.wait([first, second, third])

    headway.explore(scenario, schedules=20)
    assert len(names) == 1
    assert next(iter(names))[:2] == ("Task-2", "second")
