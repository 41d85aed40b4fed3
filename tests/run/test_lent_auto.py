"""An executor with `on="auto"` may be lent to maps and executors, which choose anew among its backends."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

import headway


@pytest.mark.known_time  # of the first calls; where the machine stands still, a call that computes seems to wait
def test_a_map_on_an_executor_that_chooses_chooses_for_itself_with_its_backends() -> None:
    threads: set[str] = set()

    def wait(number: int) -> int:
        threads.add(threading.current_thread().name)
        time.sleep(0.005)
        return number

    with headway.Executor("auto") as executor:
        results = headway.map(wait, range(300), on=executor)
        assert list(results) == list(range(300))
        (stage,) = results.report().stages
        assert stage.on == "threads"
        assert any("wait" in reason for reason in stage.why)
        again = headway.map(abs, range(20_000), on=executor)
        assert list(again) == list(range(20_000))
        assert again.report().stages[0].on == "serial"
        assert again.report().stages[0].batches < 1000
        executor.submit(wait, 1).result()
        assert executor.why().keys() == {wait.__qualname__}
    pools = {name.rpartition("-")[0] for name in threads - {threading.current_thread().name}}
    assert len(pools) == 1  # those of the map and those of the executor


def test_a_function_that_changes_this_process_stays_in_it_on_an_executor_that_chooses() -> None:
    seen: list[int] = []

    def note(number: int) -> int:
        seen.append(number)
        return sum(range(50_000)) and number

    with headway.Executor("auto", 2) as executor:
        assert list(headway.map(note, range(300), on=executor)) == list(range(300))
    assert sorted(seen) == list(range(300))


def test_the_time_limit_of_an_executor_that_chooses_holds_for_maps_and_executors_on_it() -> None:
    with headway.Executor("auto", 2, timeout_s=0.05) as inner, headway.Executor(inner) as outer:
        for on in (inner, outer):
            found = list(headway.map(time.sleep, [3600], on=on, on_error="return"))
            assert isinstance(found[0], headway.TimedOut)
        assert isinstance(outer.submit(time.sleep, 3600).exception(), headway.TimedOut)


def test_the_initializer_of_an_executor_that_chooses_runs_before_the_calls_of_a_map() -> None:
    local = threading.local()
    with headway.Executor("auto", initializer=setattr, initargs=(local, "made", 1)) as executor:
        assert list(headway.map(lambda _: local.made, range(4), on=executor)) == [1] * 4


def test_a_map_that_is_closed_leaves_an_executor_that_chooses_open() -> None:
    with headway.Executor("auto") as executor:
        results = headway.map(time.sleep, [0.001] * 100_000, on=executor)
        for _ in range(200):
            next(results)
        results.close()
        assert executor.submit(pow, 2, 3).result() == 8
        assert list(headway.map(time.sleep, [0.001] * 10, on=executor)) == [None] * 10
    with pytest.raises(RuntimeError, match="after shutdown"):
        list(headway.map(abs, [1], on=executor))


def test_coroutines_run_on_an_executor_that_chooses_and_in_the_readers_loop_if_that_is_a_task() -> None:
    async def call(number: int) -> str:
        return threading.current_thread().name

    async def main(executor: headway.Executor) -> set[str]:
        return {name async for name in headway.map(call, range(3), on=executor)} | {
            name async for name in headway.map(lambda number: call(number), range(3), on=executor)
        }

    with headway.Executor("auto") as executor:
        names = {*headway.map(call, range(3), on=executor), executor.submit(call, 1).result()}
        assert len(names) == 1
        assert {*headway.map(lambda number: call(number), range(3), on=executor)} == names
        assert len({*headway.map(call, range(3), on=executor, workers=1)}) == 1
        assert asyncio.run(main(executor)) == {threading.current_thread().name}
