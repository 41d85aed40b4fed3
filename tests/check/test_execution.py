"""What one execution promises: turns, time, and an end."""

import threading
import time

import pytest

from headway import ScheduleFailure, explore
from headway.check.token import decode

STRATEGIES = ("auto", "walk", "pct", "pos", "focus", "bounded", "dpor")


def hands_a_lock_on_for_ever() -> None:
    lock = threading.Lock()
    order: list[int] = []

    def work(number: int) -> None:
        with lock:
            order.append(number)
        while order[0] == 1:  # not so in the first schedule
            with lock:
                pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_units_that_poll_the_clock_beneath_a_lock_see_it_go_on(strategy: str) -> None:
    def scenario() -> None:
        lock = threading.Lock()

        def poll() -> None:
            start = time.monotonic()
            while not time.monotonic() > start:
                with lock:
                    pass

        threads = [threading.Thread(target=poll) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert (
        explore(scenario, granularity="sync", strategy=strategy, schedules=10, seconds=None).schedules == 10
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_units_that_hand_a_lock_to_each_other_for_ever_are_a_livelock(strategy: str) -> None:
    with pytest.raises(ScheduleFailure, match="livelock") as caught:
        explore(hands_a_lock_on_for_ever, granularity="sync", strategy=strategy, schedules=300, seconds=None)
    assert caught.value.kind == "livelock"


def test_of_a_schedule_without_an_end_as_few_of_the_first_switches_are_kept_as_will_do() -> None:
    with pytest.raises(ScheduleFailure, match="livelock") as caught:
        explore(hands_a_lock_on_for_ever, granularity="sync", strategy="walk", schedules=300, seconds=None)
    assert len(decode(caught.value.token).deviations) == 1
