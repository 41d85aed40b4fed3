"""`headway.map`: the same promises on serial, threads and auto; processes have theirs in tests/run/process."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import headway
from headway.errors import UsageError

BACKENDS = ["serial", "threads", "processes", "auto"]

on_all = pytest.mark.parametrize("on", BACKENDS)
on_local = pytest.mark.parametrize("on", ["serial", "threads", "auto"])


def double(number: int) -> int:
    return 2 * number


def fails_at_five(number: int) -> int:
    if number == 5:
        raise ValueError(f"no {number}")
    return number


@on_all
@pytest.mark.parametrize("count", [0, 1, 2, 7, 1000, 20_000])
def test_a_map_gives_what_the_built_in_one_gives(on: str, count: int) -> None:
    assert list(headway.map(double, range(count), on=on)) == list(map(double, range(count)))


@on_all
def test_several_inputs_end_with_the_shortest(on: str) -> None:
    assert list(headway.map(pow, range(10), itertools.repeat(2), on=on)) == [n**2 for n in range(10)]


@on_all
def test_an_unordered_map_gives_the_same_results_in_any_order(on: str) -> None:
    assert sorted(headway.map(double, range(5000), on=on, ordered=False)) == [2 * n for n in range(5000)]


class Item:
    """A thing that can go through a map, and be watched."""


def hand_back(item: Item) -> Item:
    return item


@on_all
@pytest.mark.parametrize("ordered", [True, False])
def test_what_has_gone_through_a_map_does_not_wait_for_the_garbage_collector(on: str, ordered: bool) -> None:
    alive: weakref.WeakSet[Item] = weakref.WeakSet()

    def items() -> Iterator[Item]:
        for _ in range(20_000):
            item = Item()
            alive.add(item)
            yield item

    most = 0
    gc.disable()
    try:
        for _ in headway.map(hand_back, items(), on=on, ordered=ordered, buffer=1000):
            most = max(most, len(alive))
    finally:
        gc.enable()
    assert most <= 3000  # those that are out, and a chunk that is read


@on_all
def test_results_before_a_failed_call_come_first_then_its_exception_then_nothing(on: str) -> None:
    results = headway.map(fails_at_five, range(10), on=on)

    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="no 5"):
        next(results)
    assert list(results) == []


@on_all
def test_a_failed_call_can_be_returned_or_skipped(on: str) -> None:
    returned: list[Any] = list(headway.map(fails_at_five, range(8), on=on, on_error="return"))
    assert returned[:5] == [0, 1, 2, 3, 4]
    assert returned[6:] == [6, 7]
    assert isinstance(returned[5], ValueError)
    assert returned[5].args == ("no 5",)
    assert list(headway.map(fails_at_five, range(8), on=on, on_error="skip")) == [0, 1, 2, 3, 4, 6, 7]


@on_all
def test_an_endless_input_gives_its_first_result_and_is_not_read_far(on: str) -> None:
    taken = 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        for number in itertools.count():
            taken += 1
            yield number

    with headway.map(double, numbers(), on=on, buffer=20) as results:
        assert next(results) == 0
        assert taken <= 21
        assert [next(results) for _ in range(100)] == [2 * n for n in range(1, 101)]
        assert taken <= 121


@on_all
def test_an_input_that_raises_gives_the_results_before_it_first(on: str) -> None:
    def numbers() -> Iterator[int]:
        yield from range(10)
        raise OSError("input ended badly")

    results = headway.map(double, numbers(), on=on)
    assert [next(results) for _ in range(10)] == [2 * n for n in range(10)]
    with pytest.raises(OSError, match="ended badly"):
        next(results)


@pytest.mark.parametrize("on", ["serial", "auto"])
def test_a_long_call_does_not_hold_back_the_results_of_short_ones(on: str) -> None:
    begun: list[int] = []

    def mostly_short(number: int) -> int:
        begun.append(number)
        if number > 3:
            time.sleep(0.02)
        return number

    results = headway.map(mostly_short, range(40), on=on)
    for number in range(10):
        assert next(results) == number
        if results.report().stages[0].on == "serial":
            assert len(begun) <= max(5, number + 2)
    assert list(results) == list(range(10, 40))
    assert sorted(begun) == list(range(40))


def test_nothing_runs_before_the_first_result_is_asked_for() -> None:
    called: list[int] = []
    results = headway.map(called.append, range(3), on="threads")
    assert called == []
    assert str(results.report()) == "nothing has run: no result was asked for"
    assert list(results) == [None, None, None]
    assert sorted(called) == [0, 1, 2]


@on_local
def test_a_reader_who_stops_stops_the_work(on: str) -> None:
    called: list[int] = []
    results = headway.map(called.append, itertools.count(), on=on, buffer=8)
    next(results)
    results.close()
    done = len(called)
    assert done <= 9 + 8
    assert list(results) == []


@on_all
def test_leaving_a_loop_early_and_dropping_the_results_is_fine(on: str) -> None:
    for value in headway.map(double, itertools.count(), on=on):
        if value > 10:
            break


def test_calls_that_wait_for_each_other_finish() -> None:
    barrier = threading.Barrier(8)

    def meet(_: int) -> int:
        return barrier.wait(30)

    assert sorted(headway.map(meet, range(8), on="threads", workers=8)) == list(range(8))


def test_at_most_so_many_calls_run_at_a_time() -> None:
    lock = threading.Lock()
    running = most = 0

    def call(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.001)
        with lock:
            running -= 1

    list(headway.map(call, range(60), on="threads", workers=3))
    assert most == 3


def test_a_known_length_is_told_and_an_unknown_one_raises() -> None:
    assert len(headway.map(double, range(7))) == 7
    assert len(headway.map(pow, range(7), [2, 3])) == 2
    with pytest.raises(TypeError, match="not known"):
        len(headway.map(double, iter(range(7))))
    with pytest.raises(TypeError, match="not known"):
        len(headway.map(double, range(7), on_error="skip"))


@pytest.mark.parametrize("on", ["serial", "threads"])
def test_a_failed_call_is_tried_again_as_often_as_asked(on: str) -> None:
    tries: dict[int, int] = {}

    def succeeds_third(number: int) -> int:
        tries[number] = tries.get(number, 0) + 1
        if tries[number] < 3:
            raise ConnectionError(number)
        return number

    results = headway.map(succeeds_third, range(20), on=on, retries=2)
    assert list(results) == list(range(20))
    assert results.report().stages[0].retried == 40
    assert set(tries.values()) == {3}
    tries.clear()
    with pytest.raises(ConnectionError):
        list(headway.map(succeeds_third, range(20), on=on, retries=1))


def test_only_the_named_exceptions_are_worth_another_try() -> None:
    tries = 0

    def fails(_: int) -> None:
        nonlocal tries
        tries += 1
        raise KeyError("no")

    policy = headway.Retry(5, on=ConnectionError)
    with pytest.raises(KeyError):
        list(headway.map(fails, [1], on="threads", retries=policy))
    assert tries == 1


def test_a_pause_before_another_try_lets_others_go_on() -> None:
    seen: list[int] = []

    def first_fails_once(number: int) -> int:
        seen.append(number)
        if number == 0 and seen.count(0) == 1:
            raise ConnectionError
        return number

    policy = headway.Retry(1, pause_s=0.05)
    got = list(
        headway.map(first_fails_once, range(5), on="threads", workers=1, ordered=False, retries=policy)
    )
    assert got[-1] == 0
    assert sorted(got) == [0, 1, 2, 3, 4]


def test_progress_is_told_how_far_the_reader_is() -> None:
    told: list[tuple[int, int | None]] = []
    list(headway.map(double, range(100), progress=lambda count, total: told.append((count, total))))
    assert told[-1] == (100, 100)
    assert [count for count, _ in told] == sorted(count for count, _ in told)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on": "thread"}, "thread"),
        ({"ordered": "no"}, "ordered='no': it is True or False"),
        ({"on_error": "ignore"}, "on_error='ignore'"),
        ({"workers": 0}, "workers=0"),
        ({"buffer": -1}, "buffer=-1"),
        ({"timeout_s": 0}, "timeout_s=0"),
        ({"timeout_s": 1.0, "on": "threads"}, "cannot be stopped"),
        ({"workers": "2"}, "workers='2'"),
        ({"timeout_s": "1"}, "timeout_s='1'"),
        ({"retries": -1}, "retries=-1"),
        ({"retries": "3"}, "retries='3'"),
    ],
)
def test_wrong_options_are_refused_with_their_names(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        list(headway.map(double, range(3), **arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": -1}, "^times=-1 "),
        ({"times": "3"}, "^times='3' "),
        ({"times": 3, "on": "ValueError"}, "'ValueError' is no class of exceptions"),
        ({"times": 3, "on": (ValueError, "KeyError")}, "'KeyError' is no class of exceptions"),
        ({"times": 3, "on": int}, "<class 'int'> is no class of exceptions"),
        ({"times": 3, "pause_s": "1"}, "^pause_s='1' "),
        ({"times": 3, "backoff": 0.5}, "^backoff=0.5 makes no sense\nhint: it is a number from 1 on"),
        ({"times": 3, "jitter": 2}, "^jitter=2 makes no sense\nhint: it is a number from 0 to 1"),
        ({"times": 3, "longest_s": float("nan")}, "^longest_s=nan "),
    ],
)
def test_a_policy_of_retries_that_makes_no_sense_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        headway.Retry(**arguments)


def test_what_is_no_function_or_no_input_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="not a function"):
        headway.map(3, range(3))  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="nothing to map"):
        headway.map(double)
    with pytest.raises(UsageError, match="not iterable"):
        headway.map(double, 3)  # type: ignore[call-overload]


async def double_later(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


async def numbers_later(count: int) -> AsyncIterator[int]:
    for number in range(count):
        await asyncio.sleep(0)
        yield number


def test_a_coroutine_function_is_mapped_from_plain_code() -> None:
    assert list(headway.map(double_later, range(300))) == [2 * n for n in range(300)]


@pytest.mark.parametrize("on", ["auto", "threads", "serial"])
def test_a_task_reads_results_of_plain_calls(on: str) -> None:
    async def main() -> list[int]:
        return [value async for value in headway.map(double, range(1000), on=on)]

    assert asyncio.run(main()) == [2 * n for n in range(1000)]


def test_a_task_reads_an_asynchronous_input_through_a_coroutine_function_in_its_own_loop() -> None:
    async def main() -> list[int]:
        own = asyncio.get_running_loop()

        async def here(number: int) -> int:
            assert asyncio.get_running_loop() is own
            return await double_later(number)

        return [value async for value in headway.map(here, numbers_later(200))]

    assert asyncio.run(main()) == [2 * n for n in range(200)]


def test_an_asynchronous_input_under_a_plain_for_is_refused_with_a_hint() -> None:
    with pytest.raises(UsageError, match="async for"):
        list(headway.map(double, numbers_later(3)))


def test_an_asynchronous_input_that_raises_gives_the_results_before_it() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        yield 2
        raise OSError("input ended badly")

    async def main() -> list[int]:
        results = headway.map(double_later, broken())
        got = [await anext(results), await anext(results)]
        with pytest.raises(OSError, match="ended badly"):
            await anext(results)
        return got

    assert asyncio.run(main()) == [2, 4]


def test_cancelling_the_task_that_reads_cancels_the_calls() -> None:
    async def main() -> list[str]:
        seen: list[str] = []
        begun = asyncio.Event()

        async def waits(_: int) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        async def read() -> None:
            async with headway.map(waits, range(3)) as results:
                async for _ in results:
                    pass

        task = asyncio.ensure_future(read())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(100):
            if len(seen) == 3:
                break
            await asyncio.sleep(0.01)
        return seen

    assert asyncio.run(main()) == ["cancelled"] * 3


@given(
    failing=st.sets(st.integers(0, 199), max_size=20),
    count=st.integers(0, 200),
    workers=st.integers(1, 5),
    buffer=st.none() | st.integers(1, 50),
    ordered=st.booleans(),
)
def test_every_item_gives_exactly_one_outcome(
    failing: set[int], count: int, workers: int, buffer: int | None, ordered: bool
) -> None:
    def call(number: int) -> int:
        if number in failing:
            raise ValueError(number)
        return number

    got: headway.Results[Any] = headway.map(
        call, range(count), on="threads", workers=workers, buffer=buffer, ordered=ordered, on_error="return"
    )
    outcomes = [value.args[0] if isinstance(value, ValueError) else value for value in got]
    assert (outcomes if ordered else sorted(outcomes)) == list(range(count))
