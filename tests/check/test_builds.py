"""Which build of CPython can show a failing schedule: never more is said than was seen."""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from headway import ScheduleFailure, explore, replay


class Counter:
    def __init__(self) -> None:
        self.n = 0
        self.m = 0
        self.lock = threading.Lock()

    def add(self) -> None:
        self.n += 1

    def add_slowly(self) -> None:
        seen = self.n
        str(seen)
        self.n = seen + 1


def together(*functions: Callable[[], object]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def adding() -> None:
    counter = Counter()
    together(counter.add, counter.add)
    assert counter.n == 2


def adding_slowly() -> None:
    counter = Counter()
    together(counter.add_slowly, counter.add_slowly)
    assert counter.n == 2


def fails(scenario: Callable[[], Any], **options: Any) -> ScheduleFailure:
    with pytest.raises(ScheduleFailure) as caught:
        explore(scenario, **options)
    return caught.value


def build_of(failure: ScheduleFailure) -> Any:
    return failure.details["build"]


def test_a_lost_update_within_one_line_needs_a_build_without_the_gil_and_the_report_says_where() -> None:
    failure = fails(adding)
    build = build_of(failure)
    assert not build["gil"]
    place = f"test_builds.py:{Counter.add.__code__.co_firstlineno + 1}"
    assert build["between"] == [place, place]
    assert build["schedules"] > 20
    lines = failure.report.splitlines()[-3:]
    assert lines == [
        "build: this schedule needs one without the GIL:",
        f"  nothing hands it over within {place}",
        f"  {build['schedules']} schedules that switch only where it is handed over did not show it",
    ]


def test_a_call_in_between_lets_every_build_show_it() -> None:
    failure = fails(adding_slowly)
    assert build_of(failure)["gil"]
    assert failure.report.splitlines()[-1] == "build: CPython with the GIL can show it, too"


@pytest.mark.parametrize("scenario", [adding, adding_slowly])
def test_a_replay_says_the_same(scenario: Callable[[], None]) -> None:
    failure = fails(scenario)
    with pytest.raises(ScheduleFailure) as again:
        replay(scenario, failure.token)
    build = {**build_of(failure), "schedules": 0}
    assert build_of(again.value)["gil"] == build["gil"]
    assert build_of(again.value)["between"] == build["between"]
    assert json.loads(json.dumps(failure.details)) == failure.details


def test_a_schedule_that_the_gil_allows_is_the_one_that_is_told() -> None:
    """Both places can be parted, and one of them with the GIL: it is found, whichever comes up first."""

    def scenario() -> None:
        counter = Counter()

        def add() -> None:
            counter.add()
            seen = counter.m
            str(seen)
            counter.m = seen + 1

        together(add, add)
        assert counter.n + counter.m == 4

    for seed in range(5):
        failure = fails(scenario, seed=seed)
        assert build_of(failure)["gil"], seed
        with pytest.raises(ScheduleFailure):
            replay(scenario, failure.token)


def test_a_switch_is_moved_to_where_the_gil_is_handed_over() -> None:
    """Before a free lock is taken nothing hands over the GIL; once it has been taken, something may."""

    def scenario() -> None:
        counter = Counter()

        def write() -> None:
            counter.n = 1
            with counter.lock:
                counter.n = 0

        def read() -> None:
            assert counter.n == 0

        together(write, read)

    assert build_of(fails(scenario))["gil"]


def test_before_a_free_lock_is_taken_nothing_hands_over_the_gil() -> None:
    def scenario() -> None:
        counter = Counter()

        def write() -> None:
            counter.n = 1
            with counter.lock:
                counter.n = 0

        def read() -> None:
            assert counter.lock.locked() or counter.n == 0 or counter.lock.locked()

        together(write, read)

    assert not build_of(fails(scenario))["gil"]


def test_a_lock_that_is_waited_for_hands_over_the_gil() -> None:
    def scenario() -> None:
        counter = Counter()

        def one() -> None:
            with counter.lock:
                abs(1)
                counter.n = 1
                abs(1)
                counter.n = 0

        def other() -> None:
            counter.m = counter.n
            with counter.lock:
                pass

        together(one, other)
        assert counter.m == 0

    assert build_of(fails(scenario))["gil"]


def test_a_turn_that_ends_because_it_was_long_is_a_switch_like_any_other() -> None:
    """It comes where the loop happens to be: 500 points are no place where the GIL is handed over."""

    def scenario() -> None:
        counter = Counter()

        def many() -> None:
            counter.n += 1
            counter.n += 1  # so that the turn ends after a read
            for _ in range(600):
                counter.n += 1

        together(many, many)
        assert counter.n == 2 * 602

    failure = fails(scenario, schedules=1)
    assert not build_of(failure)["gil"]


def test_a_deadlock_of_locks_is_shown_by_every_build() -> None:
    def scenario() -> None:
        left, right = threading.Lock(), threading.Lock()

        def take(first: threading.Lock, second: threading.Lock) -> None:
            with first, second:
                pass

        together(lambda: take(left, right), lambda: take(right, left))

    assert build_of(fails(scenario))["gil"]


def test_a_sleep_hands_over_the_gil() -> None:
    def scenario() -> None:
        counter = Counter()

        def add() -> None:
            seen = counter.n
            time.sleep(0)
            counter.n = seen + 1

        together(add, add)
        assert counter.n == 2

    assert build_of(fails(scenario))["gil"]


def test_c_code_that_raises_may_have_let_go_the_gil() -> None:
    def scenario() -> None:
        counter = Counter()

        def add() -> None:
            seen = counter.n
            try:
                open("/none/such")  # noqa: SIM115
            except OSError:
                counter.n = seen + 1

        together(add, add)
        assert counter.n == 2

    assert build_of(fails(scenario))["gil"]


def test_operators_of_an_extension_may_let_go_the_gil() -> None:
    numpy = pytest.importorskip("numpy")

    def scenario() -> None:
        counter: Any = Counter()
        counter.n = numpy.zeros(2)

        def add() -> None:
            counter.n = counter.n + 1

        together(add, add)
        assert counter.n.sum() == 4

    failure = fails(scenario)
    assert build_of(failure)["gil"]
    race: Any = failure.details["race"]
    assert race["gil"]


@pytest.mark.parametrize("granularity", ["sync", "line", "opcode"])
def test_where_points_are_no_accesses_nothing_is_said(granularity: str) -> None:
    def scenario() -> None:
        counter = Counter()

        def add() -> None:
            seen = counter.n
            with counter.lock:
                counter.n = seen + 1

        together(add, add)
        assert counter.n == 2

    failure = fails(scenario, granularity=granularity)
    assert build_of(failure) is None
    assert "build:" not in failure.report


def test_of_tasks_nothing_is_said() -> None:
    async def scenario() -> None:
        counter = Counter()

        async def add() -> None:
            seen = counter.n
            await asyncio.sleep(0)
            counter.n = seen + 1

        await asyncio.gather(add(), add())
        assert counter.n == 2

    assert build_of(fails(scenario)) is None


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="not for Python since 3.12, where it is not needed")
def test_whoever_traces_the_program_is_not_disturbed_and_nothing_is_said() -> None:
    def scenario() -> None:
        counter = Counter()

        def add() -> None:
            sys.settrace(lambda *_: None)
            counter.n += 1

        together(add, add)
        assert counter.n == 2

    failure = fails(scenario)
    assert build_of(failure) is None


def test_a_race_of_a_passing_scenario_says_which_builds_it_can_go_wrong_on() -> None:
    def scenario() -> None:
        counter = Counter()
        together(counter.add, counter.add)

    def slow() -> None:
        counter = Counter()
        together(counter.add_slowly, counter.add_slowly)

    (race,) = explore(scenario, schedules=200).races
    assert race.endswith("; only without the GIL: nothing hands it over in between")
    (race,) = explore(slow, schedules=200, strategy="pos").races
    assert race.endswith("; with the GIL, too")
