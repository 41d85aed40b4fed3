"""What a scope promises to asyncio tasks when it is cancelled, from within, from around, or by its deadline."""

# ruff: noqa: PT012 (what raises is the end of a block, with all that is in it)

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from headway.errors import Cancelled, TimedOut
from headway.run.channel import Channel
from headway.run.scope import scope
from scope_tasks import Broken, fail, for_ever, give, group_of, run, spin_until_cancelled


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
