"""`headway.Executor` does what CPython's own executors are tested for, on every kind of worker."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    CancelledError,
    Future,
    as_completed,
    wait,
)
from pathlib import Path
from typing import Any

import pytest

import headway

KINDS = ["threads", "processes", "serial", "auto"]


@pytest.fixture(params=KINDS)
def executor(request: pytest.FixtureRequest) -> Iterator[headway.Executor]:
    with headway.Executor(request.param, 2) as executor:
        yield executor


@pytest.fixture
def threads() -> Iterator[headway.Executor]:
    with headway.Executor("threads", 2) as executor:
        yield executor


def fail(message: str) -> None:
    raise ValueError(message)


def keywords(self: int, fn: int) -> tuple[int, int]:
    return self, fn


def test_a_call_gives_its_result(executor: headway.Executor) -> None:
    assert executor.submit(pow, 2, 8).result() == 256
    assert executor.submit(int, "21", base=8).result() == 17


def test_a_call_may_have_arguments_named_self_and_fn(executor: headway.Executor) -> None:
    assert executor.submit(keywords, self=1, fn=2).result() == (1, 2)


def test_a_call_that_raises_gives_its_exception_with_where_it_was_raised(executor: headway.Executor) -> None:
    future = executor.submit(fail, "no")
    error = future.exception()
    assert isinstance(error, ValueError)
    assert error.args == ("no",)
    with pytest.raises(ValueError, match="no"):
        future.result()


def test_executor_map_keeps_the_order_and_raises_in_its_place(executor: headway.Executor) -> None:
    assert list(executor.map(pow, range(10), range(10))) == [n**n for n in range(10)]
    results = executor.map(divmod, [1, 1, 1], [1, 1, 0])
    assert next(results) == (1, 0)
    assert next(results) == (1, 0)
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_as_completed_and_wait_see_the_futures(executor: headway.Executor) -> None:
    futures = [executor.submit(pow, 2, n) for n in range(20)]
    assert {future.result() for future in as_completed(futures)} == {2**n for n in range(20)}
    done, not_done = wait(futures, return_when=ALL_COMPLETED)
    assert (len(done), len(not_done)) == (20, 0)


def test_wait_returns_at_the_first_exception(threads: headway.Executor) -> None:
    release = threading.Event()
    slow: Future[Any] = threads.submit(release.wait, 30)
    failed: Future[Any] = threads.submit(fail, "no")
    done, not_done = wait([slow, failed], return_when=FIRST_EXCEPTION)
    assert (done, not_done) == ({failed}, {slow})
    release.set()


def test_wait_returns_at_the_first_result(threads: headway.Executor) -> None:
    release = threading.Event()
    slow: Future[Any] = threads.submit(release.wait, 30)
    fast: Future[Any] = threads.submit(pow, 2, 3)
    done, _ = wait([slow, fast], return_when=FIRST_COMPLETED)
    assert fast in done
    release.set()


def test_callbacks_are_called_with_the_future(executor: headway.Executor) -> None:
    called: list[object] = []
    there = threading.Event()

    def callback(future: object) -> None:
        called.append(future)
        there.set()

    future = executor.submit(pow, 5, 2)
    future.add_done_callback(callback)
    assert there.wait(30)
    assert called == [future]


def test_a_call_that_has_not_begun_can_be_cancelled(threads: headway.Executor) -> None:
    release = threading.Event()
    blockers = [threads.submit(release.wait, 30) for _ in range(2)]
    waiting = threads.submit(pow, 2, 3)
    assert waiting.cancel()
    assert waiting.cancelled()
    with pytest.raises(CancelledError):
        waiting.result()
    release.set()
    assert all(future.result() for future in blockers)


def test_a_call_that_runs_on_a_thread_cannot_be_cancelled(threads: headway.Executor) -> None:
    begun, release = threading.Event(), threading.Event()

    def call() -> str:
        begun.set()
        release.wait(30)
        return "done"

    future = threads.submit(call)
    assert begun.wait(30)
    assert not future.cancel()
    release.set()
    assert future.result() == "done"


def test_a_call_that_runs_in_a_process_can_be_cancelled_and_the_executor_goes_on(tmp_path: Path) -> None:
    def call(path: Path) -> None:
        path.touch()
        time.sleep(300)

    with headway.Executor("processes", 1) as executor:
        future = executor.submit(call, tmp_path / "begun")
        while not (tmp_path / "begun").exists():
            time.sleep(0.005)
        assert future.cancel()
        assert future.cancelled()
        with pytest.raises(CancelledError):
            future.result()
        assert wait([future]).done == {future}
        assert executor.submit(pow, 2, 5).result() == 32


def test_thousands_of_futures_can_be_cancelled(threads: headway.Executor) -> None:
    release = threading.Event()
    blockers = [threads.submit(release.wait, 30) for _ in range(2)]
    waiting = [threads.submit(pow, 2, 3) for _ in range(5000)]
    assert all(future.cancel() for future in waiting)
    release.set()
    assert all(future.result() for future in blockers)
    assert threads.submit(pow, 2, 3).result() == 8


def test_nothing_can_be_submitted_after_shutdown(executor: headway.Executor) -> None:
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(pow, 2, 5)


def test_what_was_submitted_before_shutdown_is_done(executor: headway.Executor) -> None:
    futures = [executor.submit(pow, 2, n) for n in range(50)]
    executor.shutdown(wait=False)
    assert [future.result() for future in futures] == [2**n for n in range(50)]


def test_shutdown_can_cancel_what_has_not_begun(threads: headway.Executor) -> None:
    release = threading.Event()
    begun = threading.Semaphore(0)

    def call() -> bool:
        begun.release()
        return release.wait(30)

    futures = [threads.submit(call) for _ in range(50)]
    for _ in range(2):
        begun.acquire()
    threads.shutdown(wait=False, cancel_futures=True)
    release.set()
    threads.shutdown()
    assert sum(future.cancelled() for future in futures) == 48
    assert all(future.done() for future in futures)


def test_shutdown_may_come_from_another_thread(executor: headway.Executor) -> None:
    futures = [executor.submit(pow, 2, n) for n in range(100)]
    other = threading.Thread(target=executor.shutdown)
    other.start()
    assert [future.result() for future in futures] == [2**n for n in range(100)]
    other.join()


def test_an_event_loop_runs_calls_in_it(executor: headway.Executor) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        return list(await asyncio.gather(*(loop.run_in_executor(executor, pow, 2, n) for n in range(10))))

    assert asyncio.run(main()) == [2**n for n in range(10)]


def test_leaving_async_with_waits_while_other_tasks_go_on() -> None:
    async def main() -> tuple[int, bool]:
        turned = asyncio.Event()
        release = threading.Event()

        async def turn() -> None:
            turned.set()
            release.set()

        async with headway.Executor("threads", 1) as executor:
            future = executor.submit(release.wait)
            task = asyncio.create_task(turn())  # runs only while the block is being left
        await task
        return future.result(timeout=0), turned.is_set()

    assert asyncio.run(main()) == (True, True)


def test_a_cancelled_task_leaves_async_with_at_once() -> None:
    async def main(entered: asyncio.Event, futures: list[Future[Any]]) -> None:
        async with headway.Executor("processes", 1) as executor:
            futures.append(executor.submit(time.sleep, 3600))
            entered.set()

    async def cancel() -> Future[Any]:
        entered, futures = asyncio.Event(), list[Future[Any]]()
        task = asyncio.create_task(main(entered, futures))
        await entered.wait()
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return futures[0]

    assert asyncio.run(cancel()).cancelled()


def test_coroutine_functions_run_in_an_event_loop() -> None:
    async def call(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    with headway.Executor() as executor:
        futures: list[Future[Any]] = [executor.submit(call, n) for n in range(5)]
        assert [future.result() for future in futures] == [0, 2, 4, 6, 8]


class CalledTask:
    async def __call__(self, number: int) -> int:
        return number


@pytest.mark.parametrize("kind", ["threads", "processes", "serial", "an executor", "auto"])
def test_a_coroutine_function_is_refused_where_no_event_loop_runs_it(kind: str) -> None:
    async def call(number: int) -> int:
        return number

    with headway.Executor("auto" if kind == "auto" else "serial") as inner:
        on = inner if kind in ("an executor", "auto") else kind
        with headway.Executor(on, 1) as executor:
            assert executor.submit(pow, 2, 3).result() == 8
            for fn in (call, functools.partial(call), CalledTask(), call):
                with pytest.raises(headway.UsageError, match="is a coroutine function, which on="):
                    executor.submit(fn, 1)
                with pytest.raises(headway.UsageError, match="is a coroutine function, which on="):
                    headway.map(fn, [1], on=executor)
            assert executor.submit(pow, 2, 3).result() == 8


@pytest.mark.parametrize("kind", ["asyncio", "auto"])
def test_a_coroutine_function_runs_in_the_event_loop_of_an_executor(kind: str) -> None:
    async def call(number: int) -> int:
        return number

    with headway.Executor(kind) as executor:
        assert list(headway.map(call, range(3), on=executor)) == [0, 1, 2]
        with headway.Executor(executor) as outer:
            future: Future[Any] = outer.submit(call, 3)
            assert future.result() == 3


def test_failed_calls_are_tried_again() -> None:
    tries: list[int] = []

    def succeeds_third() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError
        return "done"

    with headway.Executor("threads", retries=headway.Retry(5, pause_s=0.001)) as executor:
        assert executor.submit(succeeds_third).result() == "done"
    assert len(tries) == 3


def test_the_initializer_runs_in_each_worker() -> None:
    workers: set[int] = set()
    meet = threading.Barrier(2)

    def call() -> int:
        meet.wait(30)
        return threading.get_ident()

    with headway.Executor("threads", 2, initializer=lambda: workers.add(threading.get_ident())) as executor:
        used = {future.result() for future in [executor.submit(call) for _ in range(2)]}
    assert used == workers


def test_an_initializer_that_raises_fails_the_calls_and_says_why() -> None:
    with headway.Executor("threads", 1, initializer=fail, initargs=("not today",)) as executor:
        error = executor.submit(pow, 2, 3).exception()
    assert isinstance(error, headway.InitializerFailed)
    assert "not today" in str(error)


def test_a_thread_that_waits_for_work_keeps_no_argument_alive(threads: headway.Executor) -> None:
    class Thing:
        pass

    thing = Thing()
    gone = threading.Event()
    weakref.finalize(thing, gone.set)
    future = threads.submit(lambda _: None, thing)
    future.result()
    del thing, future
    assert gone.wait(30)


def test_submitting_from_many_threads_loses_nothing(executor: headway.Executor) -> None:
    results: list[list[int]] = [[] for _ in range(8)]

    def submit(mine: list[int]) -> None:
        mine.extend(future.result() for future in [executor.submit(pow, n, 2) for n in range(50)])

    submitters = [threading.Thread(target=submit, args=(mine,)) for mine in results]
    for thread in submitters:
        thread.start()
    for thread in submitters:
        thread.join()
    assert results == [[n**2 for n in range(50)]] * 8
