"""DPOR runs one schedule of each class, finds what hangs on their order, and claims no proof."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from corpus import Program, programs
from headway import ScheduleFailure, explore, replay
from headway.check.verdict import Verdict

Scenario = Callable[[], None]


class Box:
    """What threads share."""

    def __init__(self) -> None:
        self.x = 0
        self.y = 0
        self.lock = threading.Lock()
        self.event = threading.Event()
        self.entries = {"a": 0}


def run(*works: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def dpor(scenario: Callable[[], object], **options: Any) -> Verdict:
    return explore(scenario, **{"strategy": "dpor", "carrier": "greenlets", "seconds": None, **options})


def writers(threads: int, times: int) -> Scenario:
    def scenario() -> None:
        box = Box()

        def write() -> None:
            for _ in range(times):
                box.x = 1

        run(*[write] * threads)

    return scenario


def test_a_verdict_says_how_many_classes_there_were_and_claims_no_proof() -> None:
    verdict = dpor(writers(2, 2), granularity="access")
    assert (verdict.exhausted, verdict.reduced) == (False, True)
    assert verdict.notes == (
        "dpor: all 6 classes of schedules that it distinguishes were run; this is no proof",
    )
    # One to learn what is shared; the classes of what is; once more with all accesses as points.
    assert verdict.schedules == 1 + 6 + 6
    first = f"no failure in {verdict.schedules} schedules at granularity access (dpor has no more to try)"
    assert str(verdict).splitlines()[0] == first


def test_a_budget_that_ends_before_is_told_as_one() -> None:
    verdict = dpor(writers(2, 3), schedules=15)
    assert (verdict.schedules, verdict.exhausted, verdict.reduced, verdict.notes) == (15, False, False, ())
    assert "(budget ended)" in str(verdict)


def test_a_thread_alone_has_one_schedule() -> None:
    assert dpor(lambda: None).exhausted


def test_long_turns_are_told_since_what_they_hide_was_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.check.execution.SPIN", 20)

    def scenario() -> None:
        box = Box()

        def count() -> None:
            for _ in range(21):  # more points than a turn has
                box.lock.locked()

        run(count, box.event.is_set)

    verdict = dpor(scenario, schedules=5000)
    assert "there are more, since threads took long turns" in verdict.notes[0]
    assert verdict.reduced


# What it finds, and what it does not say.


def by_vars(box: Box) -> None:
    vars(box)["x"] = 1


def by_dictionary(box: Box) -> None:
    box.__dict__.update(x=1)


def by_deleting(box: Box) -> None:
    del vars(box)["x"]


def by_setattr(box: Box) -> None:
    setattr(box, "x", 1)  # noqa: B010 (not the same way)


def by_base(box: Box) -> None:
    object.__setattr__(box, "x", 1)


@pytest.mark.parametrize("write", [by_vars, by_dictionary, by_deleting, by_setattr, by_base])
def test_an_attribute_is_the_same_by_whatever_way_it_is_written(write: Callable[[Box], None]) -> None:
    def scenario() -> None:
        box = Box()

        def look() -> None:
            assert box.x == 0

        run(look, partial(write, box))

    with pytest.raises(ScheduleFailure):
        dpor(scenario)


def test_a_failure_is_replayed_by_its_token() -> None:
    def scenario() -> None:
        box = Box()

        def add() -> None:
            box.x += 1

        run(add, add)
        assert box.x == 2

    with pytest.raises(ScheduleFailure) as caught:
        explore(scenario, strategy="dpor")
    with pytest.raises(ScheduleFailure) as again:
        replay(scenario, caught.value.token)
    assert again.value.kind == caught.value.kind == "exception"


def test_who_tries_a_lock_may_find_it_taken() -> None:
    # The release is no point, and so the attempt is to be reversed with the step that it belongs to.
    def scenario() -> None:
        box = Box()
        failed = []

        def hold() -> None:
            with box.lock:
                box.x = 1
                box.y = 1

        def try_it() -> None:
            if box.lock.acquire(False):
                box.lock.release()
            else:
                failed.append(box.y)

        run(hold, try_it)
        assert failed != [0]

    with pytest.raises(ScheduleFailure):
        dpor(scenario)


def test_a_daemon_may_be_stopped_anywhere() -> None:
    def scenario() -> None:
        box = Box()

        def work() -> None:
            box.x = 1

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        box.y = 1
        assert box.x == 0

    with pytest.raises(ScheduleFailure):
        dpor(scenario)


def test_a_wait_that_gives_up_could_have_got_what_it_waited_for() -> None:
    def scenario() -> None:
        box = Box()
        got: list[bool] = []

        def hold() -> None:
            with box.lock:
                time.sleep(2)

        run(hold, lambda: got.append(box.lock.acquire(timeout=1)))
        assert got == [False]

    with pytest.raises(ScheduleFailure):
        dpor(scenario)


def test_a_wait_that_gives_up_and_the_release_come_in_either_order() -> None:
    seen: set[bool] = set()

    def scenario() -> None:
        box = Box()

        def hold() -> None:
            with box.lock:
                box.event.wait()  # it sleeps later than the other waits, and so comes first without a choice
                time.sleep(1)

        def try_it() -> None:
            box.event.set()
            taken = box.lock.acquire(timeout=1)
            seen.add(taken)
            if taken:
                box.lock.release()

        run(hold, try_it)

    assert dpor(scenario).reduced
    assert seen == {False, True}


def test_who_waits_when_an_execution_is_cut_off_is_tried_first_though_a_sleeper_went_on_meanwhile() -> None:
    seen: set[bool] = set()

    def scenario() -> None:
        box, other = Box(), threading.Lock()

        def try_it() -> None:
            if box.lock.acquire(False):
                box.event.wait()
                box.lock.release()
            else:
                with other:
                    box.x += 1

        def hold() -> None:
            with box.lock:
                box.y += 1

        threads = [threading.Thread(target=work) for work in (try_it, hold)]
        for thread in threads:
            thread.start()
        seen.add(other.locked())
        box.event.set()
        for thread in threads:
            thread.join()

    assert dpor(scenario).reduced
    assert seen == {False, True}


def test_a_scenario_that_does_something_else_each_time_is_told() -> None:
    runs = itertools.count()

    def scenario() -> None:
        box = Box()

        def write() -> None:
            box.x = 1

        run(*[write] * (3 if next(runs) < 5 else 2))

    with pytest.raises(ScheduleFailure, match="not deterministic"):
        dpor(scenario)


@pytest.mark.parametrize("granularity", ["sync", "line"])
def test_where_accesses_are_not_known_all_orders_are_tried(granularity: str) -> None:
    orders: set[str] = set()

    def scenario() -> None:
        box = Box()
        order: list[str] = []

        def work(name: str) -> None:
            box.lock.locked()
            order.append(name)

        run(lambda: work("a"), lambda: work("b"))
        orders.add("".join(order))

    dpor(scenario, granularity=granularity, schedules=2000)
    assert orders == {"ab", "ba"}


def test_the_tasks_of_a_loop_come_in_all_orders() -> None:
    orders: set[str] = set()

    async def scenario() -> None:
        order: list[str] = []

        async def step(name: str) -> None:
            order.append(name)
            await asyncio.sleep(0)
            order.append(name)

        await asyncio.gather(step("a"), step("b"))
        orders.add("".join(order))

    assert explore(scenario, strategy="bounded").exhausted
    every, orders = orders, set()
    assert explore(scenario, strategy="dpor").reduced
    assert orders == every


def test_threads_and_loops_are_told_apart() -> None:
    def scenario() -> None:
        box = Box()

        async def main() -> None:
            await asyncio.to_thread(box.event.set)
            assert box.event.is_set()

        asyncio.run(main())

    assert explore(scenario, strategy="dpor", schedules=300).schedules


def test_nothing_of_the_program_is_kept_when_the_search_is_over() -> None:
    gone: list[weakref.ref[Box]] = []

    def scenario() -> None:
        box = Box()
        gone.append(weakref.ref(box))
        run(lambda: box.entries.update(b=1), lambda: box.entries.update(a=1))

    dpor(scenario)
    gc.collect()
    assert all(ref() is None for ref in gone)


@pytest.mark.parametrize("program", programs(arm="threads", kind="ok"), ids=lambda program: program.name)
def test_a_correct_program_is_not_accused(program: Program) -> None:
    verdict = dpor(program.load(), granularity="access", schedules=50)
    assert verdict.reduced or verdict.exhausted or verdict.schedules == 50
