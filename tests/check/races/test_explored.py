"""What an exploration tells of races: those that can go wrong and did not, and the one at the heart of a failure."""

from __future__ import annotations

import contextlib
import gc
import importlib
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corpus import Program, programs
from headway.check.explore import explore, replay
from headway.check.races.lookout import Lookout
from headway.errors import ScheduleFailure

HARMLESS = {
    "lazy_idempotent": "two threads do both find nothing and build the same; that it is the same, nobody can see"
}
"""Correct programs where another thread can come between a check and what is done then."""


class Counter:
    def __init__(self) -> None:
        self.value = 0
        self.lock = threading.Lock()

    def add(self) -> None:
        self.value += 1

    def add_alone(self) -> None:
        with self.lock:
            self.value += 1


def together(*functions: Callable[[], object]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_verdict_names_a_lost_update_that_nobody_asserts_on() -> None:
    def scenario() -> None:
        counter = Counter()
        together(counter.add, counter.add)

    verdict = explore(scenario)
    assert len(verdict.races) == 1
    assert "lost update: Counter.value" in verdict.races[0]
    assert "`self.value += 1`, holding no lock" in verdict.races[0]
    assert verdict.races[0] in str(verdict)


def test_a_verdict_names_nothing_that_a_lock_orders() -> None:
    def scenario() -> None:
        counter = Counter()
        together(counter.add_alone, counter.add_alone)
        counter.add()

    assert explore(scenario).races == ()


def test_a_verdict_names_no_publication() -> None:
    def scenario() -> None:
        counter = Counter()
        together(lambda: setattr(counter, "value", 1), lambda: counter.value)

    assert explore(scenario).races == ()


def test_a_check_that_all_schedules_have_shown_to_be_harmless_is_not_named() -> None:
    def scenario() -> None:
        counter = Counter()

        def fill() -> None:
            if counter.value == 0:
                counter.value = 1

        thread = threading.Thread(target=fill)
        thread.start()
        fill()
        thread.join()

    verdict = explore(scenario, strategy="bounded", schedules=5000)
    assert verdict.exhausted
    assert verdict.races == ()
    few = explore(scenario, strategy="walk", schedules=100)
    assert ["check-then-act" in race for race in few.races] == [True]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("program", programs(kind="ok", arm="threads"), ids=lambda program: program.name)
def test_a_correct_program_has_no_race_that_can_go_wrong(program: Program) -> None:
    verdict = explore(program.load(), schedules=150)
    if program.name not in HARMLESS:
        assert verdict.races == ()


def test_a_failure_names_the_race_at_its_heart_and_so_does_its_replay() -> None:
    def scenario() -> None:
        counter = Counter()
        together(counter.add, counter.add)
        assert counter.value == 2

    with pytest.raises(ScheduleFailure) as failed:
        explore(scenario)
    assert "race: Counter.value (lost update; no lock is held)" in str(failed.value)
    assert "writes it in between, at test_explored.py" in str(failed.value)
    with pytest.raises(ScheduleFailure) as again:
        replay(scenario, failed.value.token)
    assert "race: Counter.value (lost update; no lock is held)" in str(again.value)


def test_locks_that_are_made_at_one_place_are_told_apart_in_a_race_as_in_the_schedule() -> None:
    def scenario() -> None:
        counter, other = Counter(), Counter()

        def add(lock: threading.Lock) -> None:
            with lock:
                counter.add()

        together(lambda: add(counter.lock), lambda: add(other.lock))
        assert counter.value == 2

    with pytest.raises(ScheduleFailure) as failed:
        explore(scenario)
    report = failed.value.report
    place = Counter.__init__.__code__.co_firstlineno + 2
    for name in ("lock#1", "lock#2"):
        assert f"takes {name}" in report
        assert f"holding {name} (test_explored.py:{place})" in report
    (race,) = explore(lambda: not_failing(scenario), schedules=100).races
    assert f"holding lock#1 (test_explored.py:{place})" in race
    assert f"holding lock#2 (test_explored.py:{place})" in race


class Defaulted:
    value = 0

    def add(self) -> None:
        self.value += 1

    def add_to_all(self) -> None:
        type(self).value = self.value + 1


def test_the_default_of_a_class_is_the_objects_own_variable() -> None:
    def scenario() -> None:
        counter = Defaulted()
        together(counter.add, counter.add)

    (race,) = explore(scenario, schedules=100).races
    assert race.startswith("race: lost update: Defaulted.value: ")


def test_what_is_assigned_to_a_class_is_one_variable_of_all_objects() -> None:
    def scenario() -> None:
        Defaulted.value = 0
        together(Defaulted().add_to_all, Defaulted().add_to_all)

    (race,) = explore(scenario, schedules=100).races
    assert race.startswith("race: check-then-act: Defaulted.value: ")


def not_failing(scenario: Callable[[], None]) -> None:
    with contextlib.suppress(AssertionError):
        scenario()


def test_a_place_in_an_installed_package_is_told_from_the_package_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lib" / "python3" / "site-packages" / "counting"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "class Counter:\n    def __init__(self):\n        self.n = 0\n    def add(self):\n        self.n += 1\n"
    )
    monkeypatch.syspath_prepend(package.parent)
    counting: Any = importlib.import_module("counting")

    def scenario() -> None:
        counter = counting.Counter()
        together(counter.add, counter.add)

    (race,) = explore(scenario, also=["counting"], schedules=100).races
    assert "at counting/__init__.py:5 (" in race
    assert "site-packages" not in race


def test_a_failure_that_no_race_makes_names_none() -> None:
    def scenario() -> None:
        one, two = threading.Lock(), threading.Lock()

        def take(first: threading.Lock, second: threading.Lock) -> None:
            with first, second:
                pass

        together(lambda: take(one, two), lambda: take(two, one))

    with pytest.raises(ScheduleFailure) as failed:
        explore(scenario)
    assert "race:" not in str(failed.value)


def test_objects_go_away_when_they_do_where_nobody_watches() -> None:
    seen = []

    def scenario() -> None:
        counter = Counter()
        together(counter.add, counter.add)
        gone = weakref.ref(counter)
        del counter
        gc.collect()
        seen.append(gone() is None)

    verdict = explore(scenario, schedules=30)
    assert len(seen) >= verdict.schedules  # fewer where these are all
    assert len(set(seen)) == 1


# Waits, and what they order: nothing here is to be named.


def test_a_wait_that_times_out_and_finds_the_event_set_is_ordered() -> None:
    def scenario() -> None:
        counter, done = Counter(), threading.Event()

        def write() -> None:
            counter.add()
            done.set()

        def read() -> None:
            if done.wait(0):
                counter.add()

        together(write, read)

    assert explore(scenario, schedules=200).races == ()


def test_time_that_goes_on_because_nobody_can_run_orders() -> None:
    def scenario() -> None:
        counter, never = Counter(), threading.Event()

        def late() -> None:
            never.wait(5)
            counter.add()

        together(counter.add, late)

    assert explore(scenario, schedules=200).races == ()


def test_two_who_wake_at_the_same_time_are_not_ordered() -> None:
    def scenario() -> None:
        counter, never = Counter(), threading.Event()

        def late() -> None:
            never.wait(5)
            counter.add()

        together(late, late)

    assert len(explore(scenario, schedules=200).races) == 1


def test_two_permits_let_two_in() -> None:
    def scenario(permits: int) -> None:
        counter, gate = Counter(), threading.Semaphore(permits)

        def enter() -> None:
            with gate:
                counter.add()

        together(enter, enter)

    assert explore(lambda: scenario(1), schedules=200).races == ()
    assert len(explore(lambda: scenario(2), schedules=200).races) == 1


def test_a_barrier_a_condition_and_a_thread_that_is_seen_to_be_dead_order() -> None:
    def scenario() -> None:
        counter, barrier, ready = Counter(), threading.Barrier(2), threading.Condition()
        told: list[int] = []

        def first() -> None:
            counter.add()
            barrier.wait()
            with ready:
                while not told:
                    ready.wait()
            counter.add()

        def second() -> None:
            barrier.wait()
            counter.add()
            with ready:
                told.append(1)
                ready.notify()

        together(first, second)
        third = threading.Thread(target=counter.add)
        third.start()
        while third.is_alive():
            pass
        counter.add()

    assert explore(scenario, schedules=200).races == ()


def test_few_executions_are_watched() -> None:
    lookout = Lookout()
    assert [number for number in range(1, 200) if lookout.watcher(number)] == [1, 2, 66, 130, 194]
