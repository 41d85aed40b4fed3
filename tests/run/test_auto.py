"""`on="auto"` chooses by what calls really do, and every measured call is a real one."""

from __future__ import annotations

import functools
import os
import threading
import time

import pytest

import headway
from headway.run.auto import MOMENT_NS
from headway.run.batch import Batch, Portion, Spent
from headway.run.cores import available_cores, times_waited
from headway.run.stuck import TRUSTED, Stuck, found_stuck, no_longer_stuck, stuck_before

several_cores = pytest.mark.skipif(available_cores() < 2, reason="not for a machine with one core")


def spin(number: int) -> int:
    """About ten milliseconds of pure Python."""
    total = 0
    for step in range(200_000):
        total += step
    return number


def pause(number: int) -> int:
    time.sleep(0.005)
    return number


def tiny(number: int) -> int:
    return number


def report_of(fn: object, count: int) -> headway.Report:
    results = headway.map(fn, range(count))  # type: ignore[call-overload]
    assert list(results) == list(range(count))
    report = results.report()
    assert isinstance(report, headway.Report)
    return report


@pytest.mark.known_time  # its first calls are measured: a machine that stands still meanwhile makes them long
def test_calls_too_short_to_send_stay_with_the_caller() -> None:
    (stage,) = report_of(tiny, 20_000).stages
    assert stage.on == "serial"
    assert stage.calls == 20_000


def test_calls_that_wait_go_to_threads() -> None:
    (stage,) = report_of(pause, 300).stages
    assert stage.on == "threads"
    assert stage.workers >= 32
    assert any("wait" in reason for reason in stage.why)


def test_a_thread_that_only_computes_never_waits_however_long_that_takes() -> None:
    waited = -1
    while waited != times_waited():  # for the GIL, while threads of an earlier map leave
        waited = times_waited()
        spin(0)
    before = times_waited()
    for number in range(20):
        spin(number)
    computed = times_waited() - before
    for number in range(20):
        pause(number)
    assert times_waited() - before - computed >= 20
    assert computed < 20  # a page may have to be read from disk


@pytest.mark.known_time  # where the machine stands still, calls that wait seem to compute
def test_what_only_the_first_call_computes_does_not_decide() -> None:
    def call(number: int) -> int:
        if number == 0:
            spin(0)
        return pause(number)

    (stage,) = report_of(call, 300).stages
    assert stage.on == "threads"
    assert stage.workers >= 32


@pytest.mark.parametrize("workers", [None, 40])
def test_a_function_that_waited_before_begins_on_threads_and_the_report_says_why(workers: int | None) -> None:
    report_of(pause, 300)
    results = headway.map(pause, range(100), workers=workers)
    assert list(results) == list(range(100))
    (stage,) = results.report().stages
    assert stage.on == "threads"
    assert stage.why[0].startswith("threads: calls waited the last time, ")


@several_cores
def test_busy_python_calls_go_to_processes_or_to_threads_without_a_gil() -> None:
    (stage,) = report_of(spin, 150).stages
    assert stage.on in ("processes", "threads")
    assert stage.calls == 150
    assert len(stage.calls_by_worker) >= 3  # the caller, threads, and what came after


@several_cores
@pytest.mark.known_time  # where the machine stands still, a call seems to be another than before
def test_a_function_for_which_the_gil_was_in_the_way_is_not_probed_again_until_it_changes() -> None:
    long = False

    def call(number: int) -> int:
        for _ in range(8 if long else 1):
            spin(number)
        return number

    began_ns = time.thread_time_ns()
    call(0)
    found_stuck(call, Stuck(2, 0.95, time.thread_time_ns() - began_ns))
    (again,) = report_of(call, 60).stages
    assert "processes: the last time 2 threads used 0.95 cores: the GIL" in again.why
    assert again.on == "processes"
    long = True
    (other,) = report_of(call, 20).stages
    assert not any("the last time" in reason for reason in other.why)


def test_what_was_found_of_a_function_is_used_some_times_and_only_if_it_was_clear() -> None:
    def call() -> None: ...

    found_stuck(call, Stuck(2, 1.3, 1e6))
    assert stuck_before(call, 1e6) is None
    clear = Stuck(2, 0.97, 1e6)
    found_stuck(call, clear)
    assert (stuck_before(call, 4e5), stuck_before(call, 3e6)) == (None, None)
    assert [stuck_before(call, 1.5e6) for _ in range(TRUSTED + 1)] == [clear] * TRUSTED + [None]
    found_stuck(call, clear)
    assert stuck_before(call, 1e6) == clear
    no_longer_stuck(call)
    assert stuck_before(call, 1e6) is None


def test_a_function_that_changes_this_process_stays_here_and_the_report_says_why() -> None:
    seen: list[int] = []

    def notes(number: int) -> int:
        seen.append(number)
        return spin(number)

    (stage,) = report_of(notes, 80).stages
    assert stage.on in ("serial", "threads")
    assert sorted(seen) == list(range(80))
    assert any("it changes the list `seen`" in reason for reason in stage.why) or stage.on == "threads"


@several_cores
def test_what_cannot_be_sent_stays_here_and_no_call_runs_twice() -> None:
    lock = threading.Lock()
    runs: list[int] = []

    class Item:
        def __init__(self, number: int) -> None:
            self.number = number
            self.lock = lock

    def call(item: Item) -> int:
        with item.lock:
            note(item.number)
        return spin(item.number)

    def note(number: int, runs: list[int] = runs) -> None:
        runs.append(number)

    results = headway.map(call, [Item(number) for number in range(60)])
    assert list(results) == list(range(60))
    assert sorted(runs) == list(range(60))
    assert results.report().stages[0].on != "processes"


def test_a_time_limit_needs_workers_that_can_be_stopped() -> None:
    results = headway.map(tiny, range(10), timeout_s=30)
    assert list(results) == list(range(10))
    assert results.report().stages[0].on == "processes"


def test_a_coroutine_function_goes_to_an_event_loop() -> None:
    async def call(number: int) -> int:
        return number

    assert report_of(call, 50).stages[0].on == "asyncio"


def test_an_executor_learns_for_each_function() -> None:
    with headway.Executor() as executor:
        waits = [executor.submit(pause, number) for number in range(100)]
        short = [executor.submit(tiny, number) for number in range(100)]
        assert [future.result() for future in waits] == list(range(100))
        assert [future.result() for future in short] == list(range(100))
        assert set(executor.why()) == {"pause", "tiny"}


def test_calls_that_come_one_by_one_show_nothing_of_the_gil() -> None:
    with headway.Executor() as executor:
        here = [executor.submit(lambda: (sum(range(50_000)), os.getpid())[1]).result() for _ in range(200)]
        assert set(here) == {os.getpid()}
        assert not any("GIL" in reason for why in executor.why().values() for reason in why)


def test_what_was_learnt_of_a_function_holds_for_its_partials() -> None:
    with headway.Executor() as executor:
        for number in range(50):
            assert executor.submit(functools.partial(pow, 2), number).result() == 2**number
            executor.submit(sum, [number]).result()
        assert set(executor.why()) == {"pow", "sum"}


def test_a_portion_from_before_a_change_does_not_count_after_it() -> None:
    from headway.run.auto import Auto
    from headway.run.backends.contract import Setup
    from headway.run.opened import Opened

    auto = Auto(tiny, Opened(None, Setup(), awaited=True), inline=True)
    batch = Batch(tiny, [1], lambda _: None)
    long_ago = Portion(batch, 0, [1], {}, Spent(1, 1, 1 + 10 * MOMENT_NS, 0, "caller"))
    auto.learn(long_ago, 1000)
    assert auto.backend.name == "serial"
    auto.close(wait=True, abort=False)


def test_a_function_that_waited_in_the_map_before_begins_on_threads() -> None:
    def step(number: int) -> int:
        if waits:
            time.sleep(0.005)
        return number

    waits = True
    first, second = headway.map(step, range(300)), headway.map(step, range(300))
    assert list(first) == list(second) == list(range(300))
    assert first.report().stages[0].why[0].startswith("measured ")
    assert second.report().stages[0].why[0].startswith("threads: ")
    waits = False  # and one that waits no more is found out
    third = headway.map(step, range(300_000))
    assert list(third) == list(range(300_000))
    why = third.report().stages[0].why
    assert any(reason.startswith("measured again: ") for reason in why), why


def test_uneven_calls_are_alike_if_they_begin_with_what_was_seen_before() -> None:
    def call() -> None: ...

    found_stuck(call, Stuck(2, 0.95, 5e6, 1e6))
    assert stuck_before(call, 1e6) is not None  # as the first call was then
    assert stuck_before(call, 5e6) is not None  # as most were
    assert stuck_before(call, 2.5e6) is not None
    assert stuck_before(call, 1e5) is None
    assert stuck_before(call, 5e7) is None
    no_longer_stuck(call)


@several_cores
@pytest.mark.known_time  # where the machine stands still, a call seems to be another than before
def test_processes_that_are_there_get_the_calls_at_once() -> None:
    from headway.run.process import reserve

    def call(number: int) -> int:
        return spin(number)

    assert list(headway.map(call, range(20), on="processes")) == list(range(20))
    while not reserve.some_wait():  # a map does not wait until its workers are in the reserve
        time.sleep(0.001)
    began_ns = time.thread_time_ns()
    call(0)
    found_stuck(call, Stuck(2, 0.95, time.thread_time_ns() - began_ns))
    (stage,) = report_of(call, 60).stages
    assert stage.on == "processes"
    assert stage.calls_by_worker["caller"] == 1, stage


def test_a_map_without_a_length_expects_as_many_calls_as_the_one_before() -> None:
    from headway.run.auto import Auto
    from headway.run.backends.contract import Setup
    from headway.run.opened import Opened

    def step(number: int) -> int:
        time.sleep(0.005)
        return number

    assert list(headway.map(step, (number for number in range(300)))) == list(range(300))
    begins = []
    for length in (None, 300):
        auto = Auto(step, Opened(None, Setup(), awaited=True), inline=True, length=length)
        begins.append((auto.backend.name, auto.backend.workers))
        auto.close(wait=True, abort=False)
    assert begins[0] == begins[1], begins
