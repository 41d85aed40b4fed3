"""What a search promises of programs that look at a lock without waiting, and so can tell that another has it."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from headway import ScheduleFailure, explore, replay


def failure_of(scenario: Callable[[], Any], **options: Any) -> ScheduleFailure:
    with pytest.raises(ScheduleFailure) as caught:
        explore(scenario, **options)
    return caught.value


def in_two_threads(*work: Callable[[], object]) -> None:
    # No list of threads: to go through it would be accesses, and many more schedules.
    one, other = (threading.Thread(target=each) for each in work)
    one.start()
    other.start()
    one.join()
    other.join()


@pytest.mark.parametrize("strategy", ["auto", "walk", "bounded", "dpor"])
@pytest.mark.parametrize("granularity", ["sync", "access", "line"])
@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("timed", [False, True])
def test_who_tries_a_lock_can_find_it_held_where_nothing_is_done_beneath_it(
    strategy: str, granularity: str, reentrant: bool, timed: bool
) -> None:
    def scenario() -> None:
        lock = threading.RLock() if reentrant else threading.Lock()
        failed: list[int] = []

        def takes() -> None:
            with lock:
                pass

        def tries() -> None:
            if not (lock.acquire(timeout=0) if timed else lock.acquire(blocking=False)):
                failed.append(1)
            else:
                lock.release()

        in_two_threads(takes, tries)
        assert not failed

    failure = failure_of(scenario, strategy=strategy, granularity=granularity, schedules=300)
    with pytest.raises(ScheduleFailure):
        replay(scenario, failure.token)


def test_who_tries_a_lock_can_find_it_held_where_locks_are_handed_over() -> None:
    def scenario() -> None:
        first, second = threading.Lock(), threading.Lock()
        seen: list[bool] = []

        def hands_over() -> None:
            first.acquire()
            second.acquire()
            first.release()
            second.release()

        def follows() -> None:
            with first:
                pass
            seen.append(second.locked())

        in_two_threads(hands_over, follows)
        assert seen == [False]

    assert failure_of(scenario, strategy="bounded").kind == "exception"


@pytest.mark.parametrize("granularity", ["sync", "access"])
def test_all_schedules_of_a_correct_program_that_tries_a_lock_are_run(granularity: str) -> None:
    def scenario() -> None:
        lock = threading.Lock()

        def tries() -> None:
            if lock.acquire(blocking=False):
                lock.release()

        def takes() -> None:
            with lock:
                pass

        in_two_threads(tries, takes)

    verdict = explore(scenario, strategy="bounded", granularity=granularity, schedules=5000)
    assert (verdict.exhausted, verdict.notes) == (True, ())


def test_all_ends_of_a_correct_program_that_tries_a_lock_are_seen() -> None:
    outcomes = set()

    def scenario() -> None:
        lock = threading.Lock()
        taken: list[str] = []

        def tries() -> None:
            if lock.acquire(blocking=False):
                taken.append("tried")
                lock.release()

        def takes() -> None:
            with lock:
                taken.append("took")

        in_two_threads(tries, takes)
        assert "took" in taken
        outcomes.add(tuple(taken))

    assert explore(scenario, strategy="bounded", granularity="sync", schedules=5000).exhausted
    assert outcomes == {("tried", "took"), ("took", "tried"), ("took",)}


def test_a_schedule_fits_with_points_at_releases_and_without() -> None:
    def scenario() -> None:
        lock = threading.Lock()
        box = [0]

        def work() -> None:
            for _ in range(300):  # longer than a turn
                with lock:
                    value = box[0]
                with lock:
                    box[0] = value + 1

        in_two_threads(work, work)
        assert box == [600]

    for seed in range(3):
        # The search has none, since nobody tries a lock; to replay a token they are there.
        failure = failure_of(scenario, strategy="walk", seed=seed)
        with pytest.raises(ScheduleFailure) as caught:
            replay(scenario, failure.token)
        assert caught.value.token == failure.token
