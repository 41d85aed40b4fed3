"""With `on="auto"` what a plain function returns is awaited, if it is a coroutine."""

from __future__ import annotations

import asyncio
import functools
import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest

import headway


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


class Methods:
    def __call__(self, number: int) -> Any:
        return double(number)

    def method(self, number: int) -> Any:
        return double(number)


FUNCTIONS: dict[str, Callable[[int], Any]] = {
    "lambda": lambda number: double(number),
    "partial": functools.partial(double),
    "partial of a lambda": functools.partial(lambda number: double(number)),
    "method": Methods().method,
    "object": Methods(),
    "sometimes": lambda number: double(number) if number % 3 else 2 * number,
    "later": lambda number: double(number) if number > 500 else 2 * number,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_coroutines_that_a_function_returns_are_awaited(name: str) -> None:
    results = headway.map(FUNCTIONS[name], range(1000))
    assert list(results) == [2 * number for number in range(1000)]
    assert results.report().stages[0].on == "asyncio"
    assert results.report().stages[0].calls == 1000


def test_they_are_awaited_in_the_loop_of_a_task_that_reads() -> None:
    threads = set()

    async def call(number: int) -> int:
        threads.add(threading.get_ident())
        return await double(number)

    async def main() -> list[int]:
        return [result async for result in headway.map(lambda number: call(number), range(1000))]

    assert asyncio.run(main()) == [2 * number for number in range(1000)]
    assert threads == {threading.get_ident()}


def test_each_call_is_made_once() -> None:
    made: list[int] = []

    def call(number: int) -> Any:
        made.append(number)
        return double(number)

    assert list(headway.map(call, range(300), ordered=False, on_error="return")) != []
    assert sorted(made) == list(range(300))


def test_a_coroutine_that_fails_is_a_call_that_fails_and_may_be_tried_again() -> None:
    tried: list[int] = []

    async def fails_once(number: int) -> int:
        tried.append(number)
        if tried.count(number) < 2:
            raise ConnectionError(number)
        return number

    call: Callable[[int], Any] = lambda number: fails_once(number)  # noqa: E731
    found = headway.map(call, range(5), on_error="return")
    assert [type(one) for one in found] == [ConnectionError] * 5
    tried.clear()
    results = headway.map(call, range(5), retries=1)
    assert list(results) == list(range(5))
    assert results.report().stages[0].retried == 5


def test_a_step_of_a_pipeline_may_return_coroutines() -> None:
    steps = headway.pipeline(range(5)) | headway.step(lambda number: double(number)) | headway.step(str)
    assert list(steps) == ["0", "2", "4", "6", "8"]


def test_who_leaves_early_is_told_of_no_coroutine_that_was_not_awaited() -> None:
    for number in headway.map(lambda number: double(number), itertools.count()):
        assert number == 0
        break


def test_an_executor_awaits_them_too() -> None:
    def refuse(number: int) -> Any:
        async def fail() -> None:
            raise ValueError(number)

        return fail()

    with headway.Executor() as executor:
        futures = [executor.submit(FUNCTIONS["sometimes"], number) for number in range(50)]
        assert [future.result() for future in futures] == [2 * number for number in range(50)]
        assert isinstance(executor.submit(refuse, 1).exception(), ValueError)
        (why,) = executor.why()["<lambda>"][-1:]
    assert why == "asyncio: <lambda> returned a coroutine"


def test_what_was_asked_for_by_name_gives_what_the_function_returns() -> None:
    (coroutine,) = headway.map(lambda number: double(number), [1], on="serial")
    assert asyncio.iscoroutine(coroutine)
    coroutine.close()


def test_where_calls_must_be_stopped_the_error_says_what_to_do() -> None:
    with pytest.raises(headway.CannotSend, match="hint: give on='asyncio'"):
        list(headway.map(lambda number: double(number), [1], timeout_s=30))
    assert list(headway.map(lambda number: double(number), [1], timeout_s=30, on="asyncio")) == [2]
