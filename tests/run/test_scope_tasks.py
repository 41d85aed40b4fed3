"""What a scope promises to asyncio tasks."""

# ruff: noqa: PT012 (what raises is the end of a block, with all that is in it)

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from headway.errors import Cancelled, TimedOut, UsageError
from headway.run.cancellation import cancelled
from headway.run.channel import Channel
from headway.run.scope import Scope, scope


class Broken(Exception):
    """What calls raise here."""


async def fail(text: str = "broken") -> None:
    await asyncio.sleep(0)
    raise Broken(text)


def fail_on_a_thread() -> None:
    raise Broken("on a thread")


def spin_until_cancelled() -> str:
    while not cancelled():
        threading.Event().wait(0.001)
    return "saw it"


async def for_ever() -> None:
    await asyncio.Event().wait()


async def give(value: int) -> int:
    await asyncio.sleep(0)
    return value


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test, which must leave no task behind, and its own one as if nobody had ever cancelled it."""

    async def checked() -> None:
        await main()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        assert asyncio.all_tasks() == {task}
        await asyncio.sleep(0)  # no cancellation is on its way

    asyncio.run(checked(), debug=True)


@contextmanager
def group_of(*texts: str) -> Iterator[None]:
    with pytest.raises(ExceptionGroup) as raised:
        yield
    assert [str(error) for error in raised.value.exceptions] == list(texts)


def test_coroutine_functions_become_tasks_and_plain_functions_run_on_threads() -> None:
    async def main() -> None:
        async with scope() as s:
            task = s.start(give, 1)
            thread = s.start(threading.get_ident)
            assert await task == 1
        assert await thread != threading.get_ident()
        assert task.result() == 1

    run(main)


def test_tasks_may_start_tasks() -> None:
    results: list[int] = []

    async def countdown(s: Scope, count: int) -> None:
        results.append(count)
        if count:
            s.start(countdown, s, count - 1)

    async def main() -> None:
        async with scope() as s:
            s.start(countdown, s, 5)

    run(main)
    assert results == [5, 4, 3, 2, 1, 0]


def test_a_failing_task_cancels_tasks_threads_and_the_body() -> None:
    async def main() -> None:
        with group_of("broken"):
            async with scope() as s:
                task = s.start(for_ever)
                thread = s.start(spin_until_cancelled)
                s.start(fail)
                await for_ever()
        assert task.cancelled()
        assert thread.result() == "saw it"

    run(main)


def test_a_failing_thread_cancels_tasks_and_the_body() -> None:
    async def main() -> None:
        with group_of("on a thread"):
            async with scope() as s:
                task = s.start(for_ever)
                s.start(fail_on_a_thread)
                await for_ever()
        assert task.cancelled()

    run(main)


def test_all_failures_are_raised() -> None:
    async def late() -> None:
        try:
            await for_ever()
        finally:
            raise Broken("late")

    async def main() -> None:
        with group_of("broken", "late"):
            async with scope() as s:
                s.start(late)
                s.start(fail)

    run(main)


def test_a_failure_that_the_body_awaits_is_raised_once() -> None:
    async def main() -> None:
        with group_of("broken"):
            async with scope() as s:
                await s.start(fail)

    run(main)


def test_an_error_of_the_body_cancels_the_calls_and_goes_on_alone() -> None:
    async def main() -> None:
        with pytest.raises(KeyError):
            async with scope() as s:
                task = s.start(for_ever)
                never_begun = s.start(for_ever)
                raise KeyError
        assert task.cancelled()
        assert never_begun.cancelled()

    run(main)


def test_cancelling_the_task_around_cancels_the_calls() -> None:
    jobs: list[Any] = []

    async def around(wait_in_body: bool) -> None:
        async with scope() as s:
            jobs.extend([s.start(for_ever), s.start(spin_until_cancelled)])
            if wait_in_body:
                await for_ever()

    async def main() -> None:
        for wait_in_body in (True, False):
            task = asyncio.create_task(around(wait_in_body))
            while len(jobs) != 2:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert jobs[0].cancelled()
            assert jobs[1].done()
            jobs.clear()

    run(main)


def test_leaving_waits_for_a_thread_however_often_the_task_is_cancelled() -> None:
    go, begun = threading.Event(), threading.Event()

    def stubborn() -> str:
        begun.set()
        go.wait()
        return "done"

    jobs: list[Any] = []

    async def around() -> None:
        async with scope() as s:
            jobs.append(s.start(stubborn))

    async def main() -> None:
        task = asyncio.create_task(around())
        while not begun.is_set():
            await asyncio.sleep(0)
        for _ in range(5):
            task.cancel()
            for _ in range(3):
                await asyncio.sleep(0)
            assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert jobs[0].result() == "done"

    run(main)


def test_a_timeout_of_asyncio_around_a_scope_works() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                async with scope() as s:
                    task = s.start(for_ever)
        assert task.cancelled()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), scope() as s:
                s.start(for_ever)
                await for_ever()

    run(main)


def test_failures_are_raised_even_if_the_task_around_is_cancelled() -> None:
    async def fail_in_the_end() -> None:
        try:
            await for_ever()
        finally:
            raise Broken("in the end")

    async def around() -> None:
        async with scope() as s:
            s.start(fail_in_the_end)
            await for_ever()

    async def main() -> None:
        task = asyncio.create_task(around())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with group_of("in the end"):
            await task

    run(main)


@pytest.mark.parametrize("policy", ["all", "first", "gather"])
def test_a_deadline_cancels_everything(policy: Any) -> None:
    async def main() -> None:
        channel = Channel[int]()
        with pytest.raises(TimedOut, match=r"0\.02 s"):
            async with scope(deadline_s=0.02, policy=policy) as s:
                task, in_channel = s.start(for_ever), s.start(channel.receive_async)
                on_thread = s.start(channel.receive)
                await for_ever()
        assert task.cancelled()
        assert in_channel.cancelled()
        assert on_thread.cancelled()

    run(main)


def test_an_outer_deadline_bounds_the_inner_scope() -> None:
    async def main() -> None:
        with pytest.raises(TimedOut, match=r"0\.02 s"):
            async with scope(deadline_s=0.02), scope(deadline_s=3600) as inner:
                job = inner.start(for_ever)
        assert job.cancelled()

    run(main)


def test_a_scope_on_a_thread_is_cancelled_with_the_scope_of_its_task() -> None:
    channel = Channel[int]()

    def on_a_thread() -> None:
        with scope() as inner:
            inner.start(channel.receive)

    async def main() -> None:
        with group_of("broken"):
            async with scope() as s:
                job = s.start(on_a_thread)
                while not channel._receivers:
                    await asyncio.sleep(0)
                s.start(fail)
        assert job.cancelled()

    run(main)


def test_a_loop_on_a_thread_is_cancelled_with_the_scope_of_the_thread() -> None:
    begun = threading.Event()

    async def inner() -> None:
        async with scope() as s:
            s.start(for_ever)
            begun.set()
            await for_ever()

    def fail_when_begun() -> None:
        begun.wait()
        raise Broken("broken")

    with group_of("broken"), scope() as s:
        job = s.start(lambda: asyncio.run(inner()))
        s.start(fail_when_begun)
    assert job.cancelled()


def test_the_first_success_wins_and_cancels_the_others() -> None:
    async def main() -> None:
        async with scope(policy="first") as s:
            s.start(fail)
            loser = s.start(for_ever)
            thread = s.start(spin_until_cancelled)
            await asyncio.sleep(0.001)
            winner = s.start(give, 5)
        assert s.winner is winner
        assert await s.winner == 5
        assert loser.cancelled()
        assert thread.done()

    run(main)


def test_with_policy_gather_nothing_is_raised_and_nothing_cancelled() -> None:
    async def main() -> None:
        async with scope(policy="gather") as s:
            failed = s.start(fail)
            on_thread = s.start(fail_on_a_thread)
            ended = s.start(give, 5)
        assert isinstance(failed.exception(), Broken)
        assert isinstance(on_thread.exception(), Broken)
        assert await ended == 5

    run(main)


def test_cancelling_raises_nothing() -> None:
    async def main() -> None:
        async with scope() as s:
            job = s.start(for_ever)
            s.cancel()
            late = s.start(give, 5)
        assert job.cancelled()
        assert late.cancelled()
        async with scope() as s:
            s.cancel()
            await for_ever()
        with pytest.raises(Cancelled):
            await late

    run(main)


def test_a_task_that_is_cancelled_alone_cancels_nothing() -> None:
    async def cancel_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    async def main() -> None:
        async with scope() as s:
            alone = s.start(cancel_itself)
            other = s.start(give, 5)
        assert alone.cancelled()
        assert await other == 5

    run(main)


def test_waiting_for_a_job_in_the_loop_is_refused_unless_it_has_ended() -> None:
    async def main() -> None:
        async with scope() as s:
            job = s.start(give, 5)
            with pytest.raises(UsageError, match="await the job"):
                job.result()
        assert job.result() == 5

    run(main)


def test_a_coroutine_function_is_refused_on_another_thread() -> None:
    async def main() -> None:
        async with scope(policy="gather") as s:
            refused = s.start(lambda: s.start(give, 5).done())
        assert isinstance(refused.exception(), UsageError)

    run(main)


def test_ctrl_c_in_a_task_is_not_held_up() -> None:
    async def interrupt() -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        async with scope() as s:
            s.start(interrupt)
            await for_ever()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
