"""How many threads calls get that wait, by what is said to have come of each number."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable

import pytest

from headway.run.backends.contract import Backend
from headway.run.climb import FIRST, MOST, Before, Climb, before, ended
from headway.run.measured import Window

SECOND = 10**9
NUMBERS = itertools.count()


class Pretended(Backend):
    """Threads that only know their number."""

    def __init__(self) -> None:
        self.workers = 0
        self.there = 0

    @property
    def at_hand(self) -> int:
        return self.there

    def submit(self, batch: object) -> None:
        raise NotImplementedError

    def close(self, *, wait: bool = True, abort: bool = False) -> None:
        raise NotImplementedError


def window(calls: int, rate: float, call_ns: int = 10_000_000, busy: float = 0.01) -> Window:
    """So many calls at so many a second."""
    seen = Window()
    seen.calls = seen.portions = calls
    seen.run_ns = calls * call_ns
    seen.cpu_ns = int(busy * calls / rate * SECOND)
    seen.since_ns = time.monotonic_ns() - int(calls / rate * SECOND)
    return seen


def climb(
    fn: Callable[..., object],
    rate: Callable[[int], float],
    *,
    fixed: int | None = None,
    left_ns: float = 3600.0 * SECOND,
    call_ns: int = 10_000_000,
    busy: float = 0.01,
) -> list[int]:
    """The numbers of threads that were tried, where `rate` says what each gives.

    Args:
        busy: What they use of a core together.
    """
    backend = Pretended()
    climbing = Climb(fn, backend, fixed, call_ns, left_ns, lambda _: None)
    tried = [backend.workers]
    for _ in range(20):
        # All threads are busy: where more of them give no more, calls take longer.
        gives = rate(backend.workers)
        climbing.look(
            window(4 * backend.workers, gives, int(backend.workers / gives * SECOND), busy), left_ns
        )
        if backend.workers != tried[-1]:
            tried.append(backend.workers)
    return tried


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls cost nothing beside themselves, and one thread at a time runs Python, whatever the build."""
    monkeypatch.setattr("headway.run.climb.OWN_NS", 0)
    monkeypatch.setattr("headway.run.climb.ROOM", 1.0)


@pytest.fixture
def fn() -> Callable[[], None]:
    made: dict[str, Callable[[], None]] = {}
    exec(f"def fn(): return {next(NUMBERS)}", made)  # code of its own, so that nothing is known of it
    return made["fn"]


def test_more_threads_are_tried_as_long_as_they_help(fn: Callable[[], None]) -> None:
    assert climb(fn, lambda workers: workers * 100.0) == [FIRST, 4 * FIRST, MOST]


def test_a_step_that_does_not_help_is_taken_back(fn: Callable[[], None]) -> None:
    assert climb(fn, lambda workers: min(workers, 35) * 100.0) == [FIRST, 4 * FIRST, FIRST]


def test_a_number_that_the_user_gave_is_kept(fn: Callable[[], None]) -> None:
    assert climb(fn, lambda workers: workers * 100.0, fixed=7) == [7]


def test_threads_that_cost_more_than_they_save_are_not_started(fn: Callable[[], None]) -> None:
    assert climb(fn, lambda workers: workers * 100.0, left_ns=0.3 * SECOND) == [FIRST]
    assert climb(fn, lambda workers: workers * 100.0, left_ns=1.0 * SECOND) == [50]


def test_the_next_climb_goes_on_where_the_last_one_ended(fn: Callable[[], None]) -> None:
    climb(fn, lambda workers: workers * 100.0, left_ns=4.0 * SECOND)
    assert climb(fn, lambda workers: 12_800.0) == [MOST, 4 * FIRST]
    assert climb(fn, lambda workers: 12_800.0) == [4 * FIRST, MOST, 4 * FIRST]


def test_the_next_climb_begins_with_what_its_calls_are_worth(fn: Callable[[], None]) -> None:
    climb(fn, lambda workers: workers * 100.0, left_ns=4.0 * SECOND)

    def first(left_ns: float, at_hand: int) -> int:
        backend = Pretended()
        backend.there = at_hand
        Climb(fn, backend, None, 10_000_000, left_ns, lambda _: None)
        return backend.workers

    # 1000 calls in 4 rounds, or in 3 if so many threads are there; then 100 calls in 2 rounds, or in one.
    assert first(10.0 * SECOND, 0) == first(10.0 * SECOND, 128) == 250
    assert first(10.0 * SECOND, 512) == 334
    assert first(1.0 * SECOND, 0) == 50
    assert first(1.0 * SECOND, 512) == 100
    assert first(0.1 * SECOND, 512) == first(0.0, 512) == FIRST
    assert first(math.inf, 0) == MOST


def test_a_step_that_came_too_late_to_be_looked_at_is_taken_again_only_by_a_longer_map(
    fn: Callable[[], None],
) -> None:
    def first_steps(left_ns: float) -> int:
        backend = Pretended()
        climbing = Climb(fn, backend, None, 10_000_000, None, lambda _: None)
        for _ in range(2):
            climbing.look(window(4 * FIRST, 3200.0), left_ns)
        return backend.workers

    assert first_steps(4.0 * SECOND) == 4 * FIRST
    assert first_steps(4.0 * SECOND) == FIRST
    assert first_steps(9.0 * SECOND) == 4 * FIRST


def test_what_was_learnt_of_other_work_does_not_count(fn: Callable[[], None]) -> None:
    climb(fn, lambda workers: workers * 100.0)
    assert climb(fn, lambda workers: workers * 10.0, call_ns=100_000_000) == [FIRST, 4 * FIRST, MOST]


def test_more_threads_are_not_tried_while_there_are_not_calls_enough(fn: Callable[[], None]) -> None:
    backend = Pretended()
    climbing = Climb(fn, backend, None, 10_000_000, 3600.0 * SECOND, lambda _: None)
    for _ in range(3):
        climbing.look(window(4 * FIRST, 10.0), 3600.0 * SECOND)
    assert backend.workers == FIRST


def test_threads_that_fill_a_core_are_no_more_than_before(fn: Callable[[], None]) -> None:
    backend = Pretended()
    climbing = Climb(fn, backend, None, 10_000_000, 3600.0 * SECOND, lambda _: None)
    for _ in range(3):
        climbing.look(window(4 * FIRST, 100.0, busy=0.95), 3600.0 * SECOND)
    assert backend.workers == FIRST


def test_threads_that_would_only_wait_for_the_gil_are_not_tried(
    fn: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # 32 threads use half of what there is: 64 would use all of it, and there may be half as many more.
    assert climb(fn, lambda workers: workers * 100.0, busy=0.5)[:2] == [FIRST, 96]
    # 128 threads use half of it for what each call costs beside itself.
    monkeypatch.setattr("headway.run.climb.OWN_NS", 40_000)
    assert climb(lambda: None, lambda workers: workers * 100.0, busy=0.0) == [FIRST, 4 * FIRST, 375]


def test_threads_that_run_python_at_once_are_not_held_back(
    fn: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headway.run.climb.ROOM", 8.0)
    assert climb(fn, lambda workers: workers * 100.0, busy=0.5) == [FIRST, 4 * FIRST, MOST]


def test_a_climb_is_told_of_the_calls_that_there_were_before(fn: Callable[[], None]) -> None:
    ended(fn, 1000)
    assert before(fn) is None  # it is not known to wait
    climb(fn, lambda workers: workers * 100.0)
    assert before(fn) == Before(10_000_000, 0)
    ended(fn, 1000)
    climb(fn, lambda workers: workers * 100.0)
    assert before(fn) == Before(10_000_000, 1000)
