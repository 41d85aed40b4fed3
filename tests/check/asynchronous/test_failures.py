"""What is a failure of an asyncio scenario, how it is told, and that its token replays it."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import headway


def fails(scenario: Callable[[], Any], **options: Any) -> headway.ScheduleFailure:
    with pytest.raises(headway.ScheduleFailure) as caught:
        headway.explore(scenario, **options)
    with pytest.raises(headway.ScheduleFailure) as again:
        headway.replay(scenario, caught.value.token)
    assert (again.value.kind, again.value.token) == (caught.value.kind, caught.value.token)
    return caught.value


async def two_locks() -> None:
    left, right = asyncio.Lock(), asyncio.Lock()

    async def one() -> None:
        async with left:
            await asyncio.sleep(0)
            async with right:
                pass

    async def two() -> None:
        await right.acquire()
        await asyncio.sleep(0)
        async with left:
            right.release()

    async with asyncio.TaskGroup() as group:
        group.create_task(one(), name="one")
        group.create_task(two(), name="two")


def test_a_deadlock_names_the_tasks_what_they_hold_and_where_they_wait() -> None:
    failure = fails(two_locks)
    assert failure.kind == "deadlock"
    assert failure.report.startswith("deadlock: 2 tasks wait for each other")
    details: Any = failure.details
    names = {unit["unit"]: unit["name"] for unit in details["units"]}
    blocked = {names[one["unit"]]: one for one in details["blocked"]}
    assert blocked["one"]["waits_for"]["name"] == "right"
    assert [lock["name"] for lock in blocked["one"]["holds"]] == ["left"]
    assert names[blocked["one"]["held_by"]] == "two"
    assert blocked["two"]["text"] == "async with left:"
    assert blocked["Task-1"]["does"] == "join"


def test_a_signal_that_was_given_too_early_is_a_lost_wake_up() -> None:
    async def scenario() -> None:
        condition = asyncio.Condition()

        async def wait() -> None:
            async with condition:
                await condition.wait()

        async def wake() -> None:
            async with condition:
                condition.notify()

        await asyncio.gather(wait(), wake())

    failure = fails(scenario)
    assert failure.kind == "lost-wakeup"
    assert "waits for condition condition (test_failures.py:" in failure.report.replace("\n", " ").replace(
        "tests/check/asynchronous/", ""
    )


async def get_from_a_queue() -> None:
    await asyncio.Queue[int]().get()


async def join_a_queue() -> None:
    jobs = asyncio.Queue[int]()
    jobs.put_nowait(1)
    await jobs.join()


async def wait_at_a_barrier() -> None:
    await asyncio.Barrier(2).wait()


@pytest.mark.parametrize("scenario", [get_from_a_queue, join_a_queue, wait_at_a_barrier])
def test_a_task_that_waits_for_what_no_signal_can_end_is_a_deadlock(scenario: Callable[[], Any]) -> None:
    assert fails(scenario).kind == "deadlock"


def test_a_task_that_awaits_a_lock_that_it_has_itself_is_a_deadlock() -> None:
    async def scenario() -> None:
        lock = asyncio.Lock()
        async with lock, lock:
            pass

    failure = fails(scenario)
    assert failure.kind == "deadlock"
    assert "Task-1" in failure.report


def test_a_lost_update_over_an_await_is_found_and_shown_by_task() -> None:
    async def scenario() -> None:
        total = 0

        async def add() -> None:
            nonlocal total
            before = total
            await asyncio.sleep(0)
            total = before + 1

        await asyncio.gather(add(), add())
        assert total == 2

    failure = fails(scenario)
    assert failure.kind == "exception"
    details: Any = failure.details
    assert [unit["name"] for unit in details["units"]][-3:] == ["Task-1", "Task-2", "Task-3"]
    assert any(step["text"] == "total = before + 1" for step in details["steps"])


def test_an_exception_in_a_callback_is_a_failure() -> None:
    async def scenario() -> None:
        asyncio.get_running_loop().call_soon(lambda: [][0])
        await asyncio.sleep(1)

    failure = fails(scenario)
    assert isinstance(failure.__cause__, IndexError)


def test_an_exception_that_the_program_handles_itself_is_none() -> None:
    async def scenario() -> None:
        seen: list[Any] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: seen.append(context["exception"]))
        loop.call_soon(lambda: [][0])
        await asyncio.sleep(1)
        assert isinstance(seen[0], IndexError)

    headway.explore(scenario, schedules=10)


def test_an_exception_that_nobody_retrieves_is_a_failure_of_its_task() -> None:
    async def scenario() -> None:
        async def wrong() -> None:
            raise LookupError("nobody asks")

        task = asyncio.create_task(wrong(), name="wrong")
        await asyncio.wait([task])

    failure = fails(scenario)
    assert isinstance(failure.__cause__, LookupError)
    assert "LookupError in wrong" in failure.report


def test_cancelled_tasks_and_retrieved_exceptions_are_no_failures() -> None:
    async def scenario() -> None:
        async def wrong() -> None:
            raise LookupError

        cancelled = asyncio.create_task(asyncio.sleep(1))
        task = asyncio.create_task(wrong())
        left = asyncio.create_task(asyncio.sleep(100))  # ends with the loop
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled, task])
        assert isinstance(task.exception(), LookupError)
        assert not left.done()

    headway.explore(scenario, schedules=50)


def test_tasks_that_go_on_for_ever_are_a_livelock() -> None:
    async def scenario() -> None:
        async def spin() -> None:
            while True:
                await asyncio.sleep(0)

        await asyncio.gather(spin(), spin())

    with pytest.raises(headway.ScheduleFailure) as caught:
        headway.explore(scenario, schedules=1)
    assert caught.value.kind == "livelock"


def test_an_execution_that_is_cut_off_runs_what_stands_in_finally_and_warns_of_nothing() -> None:
    ended: list[str] = []

    async def scenario() -> None:
        async def wait() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("finally")

        async def never_begun() -> None:
            pass

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(lambda: [][0])
        await asyncio.sleep(0)
        begun_too_late = asyncio.create_task(never_begun())
        await asyncio.gather(task, begun_too_late)

    fails(scenario)
    assert ended


def test_a_token_replays_in_a_fresh_process(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import asyncio, sys, headway\n"
        "async def scenario():\n"
        "    seen = []\n"
        "    async def say(word):\n"
        "        seen.append(word)\n"
        "        await asyncio.sleep(0)\n"
        "        seen.append(word)\n"
        "    await asyncio.gather(*[asyncio.create_task(say(word)) for word in 'abc'])\n"
        "    assert ''.join(seen) != 'cbabca'\n"
        "try:\n"
        "    headway.replay(scenario, sys.argv[1]) if sys.argv[1:] else headway.explore(scenario)\n"
        "except headway.ScheduleFailure as failure:\n"
        "    print(failure.kind, failure.token)\n"
    )

    def run(*args: str) -> str:
        return subprocess.run(
            [sys.executable, str(program), *args], capture_output=True, text=True, check=True, timeout=60
        ).stdout

    first = run()
    kind, token = first.split()
    assert kind == "exception"
    assert run(token) == first
