"""What a scope promises to asyncio tasks."""

# ruff: noqa: PT012 (what raises is the end of a block, with all that is in it)

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from headway.errors import UsageError
from headway.run.scope import Scope, scope
from scope_tasks import (
    Broken,
    fail,
    fail_on_a_thread,
    for_ever,
    give,
    group_of,
    run,
    spin_until_cancelled,
)


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
                while "pending" in repr(thread):
                    await asyncio.sleep(0.001)
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


def test_what_is_no_function_is_refused_when_it_is_started() -> None:
    async def double(value: int) -> int:
        return 2 * value

    with scope() as s:
        start: Any = s.start
        with pytest.raises(UsageError, match="5 is not a function"):
            start(5)
        with pytest.raises(UsageError, match="is a coroutine, not a function") as caught:
            start(double(4))
        assert caught.value.hint == "start(double, ...)"
