"""What asyncio has, each used in a scenario that is right: it works, and nobody is accused."""

import asyncio
import contextvars
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

import headway

Scenario = Callable[[], Awaitable[None]]

number: contextvars.ContextVar[int] = contextvars.ContextVar("number", default=0)


async def groups() -> None:
    async def double(value: int) -> int:
        await asyncio.sleep(0)
        return 2 * value

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(double(value)) for value in range(3)]
    assert [task.result() for task in tasks] == [0, 2, 4]
    sleeper = asyncio.create_task(asyncio.sleep(100))

    async def wait() -> None:
        await sleeper

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait())
            group.create_task(raises())
    except* LookupError:
        pass
    else:
        raise AssertionError("the group did not fail")
    assert sleeper.cancelled() or not sleeper.done()  # the group may end before it has begun to wait
    sleeper.cancel()


async def raises() -> None:
    raise LookupError


async def gathering() -> None:
    results = await asyncio.gather(asyncio.sleep(1, "a"), raises(), return_exceptions=True)
    assert results[0] == "a"
    assert isinstance(results[1], LookupError)


async def as_they_complete() -> None:
    found = [await one for one in asyncio.as_completed([asyncio.sleep(2, "b"), asyncio.sleep(1, "a")])]
    assert found == ["a", "b"]
    done, pending = await asyncio.wait(
        [asyncio.create_task(asyncio.sleep(delay)) for delay in (1, 2)], return_when=asyncio.FIRST_COMPLETED
    )
    assert (len(done), len(pending)) == (1, 1)


async def timeouts() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await asyncio.sleep(2)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 1)
    async with asyncio.timeout(None) as scope:
        scope.reschedule(asyncio.get_running_loop().time() + 5)
        await asyncio.sleep(1)
    assert await asyncio.wait_for(asyncio.shield(asyncio.sleep(1, "a")), 2) == "a"


async def synchronisation() -> None:
    lock, semaphore, event = asyncio.Lock(), asyncio.BoundedSemaphore(2), asyncio.Event()
    condition, barrier = asyncio.Condition(), asyncio.Barrier(3)
    inside = most = 0

    async def work() -> None:
        nonlocal inside, most
        await event.wait()
        async with semaphore:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
        async with lock:
            await asyncio.sleep(0)
        await barrier.wait()
        async with condition:
            condition.notify_all()

    workers = [asyncio.create_task(work()) for _ in range(3)]
    event.set()
    await asyncio.gather(*workers)
    assert most <= 2


async def queues() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    seen = []

    async def consume() -> None:
        while True:
            seen.append(await queue.get())
            await asyncio.sleep(0)
            queue.task_done()

    consumers = [asyncio.create_task(consume()) for _ in range(2)]
    for item in range(3):
        await queue.put(item)
    await queue.join()
    for consumer in consumers:
        consumer.cancel()
    await asyncio.gather(*consumers, return_exceptions=True)
    assert sorted(seen) == [0, 1, 2]


async def generators() -> None:
    closed = False

    async def count() -> AsyncIterator[int]:
        nonlocal closed
        try:
            for value in range(3):
                await asyncio.sleep(0)
                yield value
        finally:
            await asyncio.sleep(0)
            closed = True

    assert [value async for value in count()] == [0, 1, 2]
    closed = False
    counting = count()
    async for _ in counting:
        break
    await counting.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert closed
    kept.append(count())
    await anext(kept[-1])  # closed with the loop


kept: list[AsyncIterator[int]] = []


async def contexts() -> None:
    async def work(value: int) -> int:
        number.set(value)
        await asyncio.sleep(0)
        return number.get()

    assert list(await asyncio.gather(work(1), work(2))) == [1, 2]
    assert number.get() == 0
    number.set(3)
    assert await asyncio.create_task(work(4)) == 4
    assert number.get() == 3


async def cancelling() -> None:
    cleaned = False

    async def work() -> None:
        nonlocal cleaned
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(1)
            cleaned = True

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel("stop")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned
    assert task.cancelling() == 1


@pytest.mark.parametrize(
    "scenario",
    [
        groups,
        gathering,
        as_they_complete,
        timeouts,
        synchronisation,
        queues,
        generators,
        contexts,
        cancelling,
    ],
)
@pytest.mark.parametrize("carrier", ["threads", "greenlets"])
def test_nothing_that_is_right_is_accused(scenario: Scenario, carrier: str) -> None:
    for seed in range(3):
        headway.explore(scenario, schedules=100, seed=seed, carrier=carrier)


def test_a_plain_scenario_may_run_loops() -> None:
    def scenario() -> None:
        async def work() -> int:
            await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
            return 1

        assert asyncio.run(work()) == 1
        with asyncio.Runner(debug=True) as runner:
            assert runner.run(work()) == runner.run(work())
        loop = asyncio.new_event_loop()
        try:
            assert loop.run_until_complete(work()) == 1
            loop.call_soon(loop.stop)
            loop.run_forever()
        finally:
            loop.close()

    headway.explore(scenario, schedules=50)


def test_stop_lets_those_run_that_were_ready() -> None:
    def scenario() -> None:
        seen: list[str] = []
        loop = asyncio.new_event_loop()

        def again() -> None:
            seen.append("ready")
            loop.call_soon(seen.append, "later")

        loop.call_soon(loop.stop)
        loop.call_soon(again)
        loop.run_forever()
        assert seen == ["ready"]
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert seen == ["ready", "later"]
        loop.close()

    headway.explore(scenario, schedules=20)


def test_a_scenario_may_return_a_coroutine() -> None:
    ran: list[int] = []

    async def inner() -> None:
        ran.append(1)

    headway.explore(lambda: inner(), schedules=1)
    assert ran == [1]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="not for Python before 3.12, which has no eager tasks")
def test_eager_tasks_begin_at_once() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
        seen: list[str] = []

        async def work(word: str) -> None:
            seen.append(word)
            await asyncio.sleep(0)
            seen.append(word.upper())

        tasks = [asyncio.create_task(work(word)) for word in "ab"]
        assert seen == ["a", "b"]
        await asyncio.gather(*tasks)
        assert sorted(seen[2:]) == ["A", "B"]

    headway.explore(scenario, schedules=50)


def test_tasks_of_pure_python_are_under_control_too() -> None:
    found: set[str] = set()

    async def scenario() -> None:
        seen: list[str] = []

        async def say(word: str) -> None:
            seen.append(word)

        loop = asyncio.get_running_loop()
        make = asyncio.tasks._PyTask  # type: ignore[attr-defined]
        await asyncio.gather(*(make(say(word), loop=loop) for word in "ab"))
        found.add("".join(seen))

    headway.explore(scenario, schedules=50)
    assert found == {"ab", "ba"}


def test_loops_are_real_again_afterwards() -> None:
    async def scenario() -> None:
        await asyncio.sleep(0)

    headway.explore(scenario, schedules=5)
    loop = asyncio.new_event_loop()
    try:
        assert not type(loop).__module__.startswith("headway")
        assert loop.run_until_complete(asyncio.sleep(0, 1)) == 1
    finally:
        loop.close()
