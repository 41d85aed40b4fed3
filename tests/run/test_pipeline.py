"""Items go through several functions at once, and a slow one slows down all before it."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import headway
from headway.errors import UsageError


def inc(number: int) -> int:
    return number + 1


def double(number: int) -> int:
    return 2 * number


def fails_at_five(number: int) -> int:
    if number == 5:
        raise ValueError(f"no {number}")
    return number


def test_items_go_through_all_steps_in_order() -> None:
    line = (
        headway.pipeline(range(1000)) | headway.step(inc, on="threads") | headway.step(double, on="threads")
    )
    assert list(line) == [2 * (n + 1) for n in range(1000)]


def test_a_pipeline_is_a_plan_that_can_be_read_again_and_extended() -> None:
    once = headway.pipeline(range(5)) | inc
    twice = once | double
    assert list(once) == [1, 2, 3, 4, 5]
    assert list(twice) == list(twice) == [2, 4, 6, 8, 10]


def test_any_iterable_can_be_the_left_side() -> None:
    assert list(iter([1, 2, 3]) | headway.step(inc, on="threads") | headway.step(double)) == [4, 6, 8]


def test_steps_run_at_the_same_time_on_different_items() -> None:
    meet = threading.Barrier(3)

    def meeting_at(item: int) -> headway.Step[int]:
        def call(number: int) -> int:
            if number == item:
                meet.wait(30)
            return number

        return headway.step(call, on="threads", workers=1)

    line = headway.pipeline(range(3)) | meeting_at(2) | meeting_at(1) | meeting_at(0)
    assert list(line) == [0, 1, 2]


@pytest.mark.parametrize("slow", [0, 1])
def test_a_reader_or_a_step_that_is_slow_holds_back_the_input(slow: int) -> None:
    taken = 0
    gate = threading.Semaphore(0)

    def numbers() -> Iterator[int]:
        nonlocal taken
        for number in itertools.count():
            taken += 1
            yield number

    def gated(number: int) -> int:
        gate.acquire()
        return number

    first = headway.step(inc, on="threads", workers=2, buffer=10)
    second = headway.step(gated if slow else inc, on="threads", workers=2, buffer=10)
    line = (headway.pipeline(numbers()) | first | second).results()
    if slow:
        for _ in range(10):
            gate.release()
    assert [next(line) for _ in range(3)] == ([1, 2, 3] if slow else [2, 3, 4])
    assert taken <= 3 + 10 + 10 + 10
    for _ in range(50):
        gate.release()
    line.close()


def test_an_error_policy_belongs_to_its_step() -> None:
    skips = headway.step(fails_at_five, on="threads", on_error="skip")
    assert list(headway.pipeline(range(8)) | skips | headway.step(inc, on="threads")) == [1, 2, 3, 4, 5, 7, 8]

    def describe(value: Any) -> str:
        return repr(value)

    returns = headway.step(fails_at_five, on="threads", on_error="return")
    assert list(headway.pipeline([4, 5]) | returns | describe) == ["4", "ValueError('no 5')"]


def test_what_is_under_way_before_an_error_still_comes_out() -> None:
    line = (
        headway.pipeline(range(10))
        | headway.step(fails_at_five, on="threads")
        | headway.step(inc, on="threads")
    )
    results = line.results()
    assert [next(results) for _ in range(5)] == [1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="no 5"):
        next(results)


def test_an_unordered_step_passes_on_what_comes_first() -> None:
    release = threading.Event()

    def first_waits(number: int) -> int:
        if number == 0:
            release.wait(30)
        return number

    line = (
        headway.pipeline(range(4))
        | headway.step(first_waits, on="threads", workers=2, ordered=False)
        | headway.step(inc, on="threads", workers=2)
    ).results()
    assert next(line) == 2
    release.set()
    assert sorted(line) == [1, 3, 4]


def test_different_backends_work_together_under_async_for() -> None:
    async def fetch(number: int) -> int:
        await asyncio.sleep(0)
        return number + 1

    async def numbers() -> AsyncIterator[int]:
        for number in range(100):
            yield number

    async def main() -> list[int]:
        line = headway.pipeline(numbers()) | headway.step(fetch) | headway.step(double, on="threads")
        return [value async for value in line]

    assert asyncio.run(main()) == [2 * (n + 1) for n in range(100)]


def test_a_report_tells_of_every_step() -> None:
    results = (headway.pipeline(range(50)) | headway.step(inc, on="threads") | headway.step(double)).results()
    assert len(results) == 50
    assert len(list(results)) == 50
    first, second = results.report().stages
    assert (first.function, first.on, first.calls) == ("inc", "threads", 50)
    assert (second.function, second.calls, second.failed) == ("double", 50, 0)
    assert "inc: 50 calls on threads" in str(results.report())


def test_a_pipeline_without_steps_or_with_no_input_is_refused() -> None:
    with pytest.raises(UsageError, match="no step"):
        list(headway.pipeline([1]))
    with pytest.raises(UsageError, match="not iterable"):
        headway.pipeline(3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="not a function"):
        headway.step(3)  # type: ignore[arg-type]


def test_a_pipeline_shows_its_steps() -> None:
    line = headway.pipeline([1, 2])
    assert repr(line).startswith("<Pipeline list at 0x")
    assert repr(line | abs | headway.step(str)).startswith("<Pipeline list | abs | str at 0x")
