"""Focus draws the orders of what it is pointed at with equal chances, and finds what hangs on them."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from headway.check.explore import _prepared, explore
from headway.check.options import Options
from headway.check.races.detector import Detector
from headway.check.search import Search
from headway.check.strategies.contract import Plain
from headway.check.strategies.focus import Focus
from headway.errors import ScheduleFailure


class Shared:
    def __init__(self) -> None:
        self.order = ""
        self.quiet = 0


def test_all_orders_of_the_racing_accesses_are_about_equally_likely() -> None:
    orders: Counter[str] = Counter()

    def scenario() -> None:
        shared, lock = Shared(), threading.Lock()

        def write(name: str, times: int) -> None:
            for _ in range(times):
                shared.order += name
                for _ in range(4 * times):
                    with lock:
                        shared.quiet += 1

        threads = [
            threading.Thread(target=write, args=("a", 1)),
            threading.Thread(target=write, args=("b", 3)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        orders[shared.order] += 1

    def run(search: Search) -> None:
        detector = Detector()
        _, execution = search.once(Plain(), detector)
        detector.finish(execution.running)
        assert len(detector.variables) == 1
        focus = Focus(search._random)
        focus.aim(detector.variables, detector.counts, detector.starters)
        orders.clear()
        for _ in range(1500):
            search.once(focus)

    with _prepared(scenario, Options(carrier="greenlets")) as (driver, _):
        driver(run)
    # A read and a write each: 28 orders of the two of a among the six of b. That no update is lost takes one of four
    # of them; that b overwrites a, or a takes b's back, any of the others.
    assert len(orders) == 11
    assert min(orders.values()) > 1500 / 28 / 3
    assert max(orders[order] for order in ("abbb", "babb", "bbab", "bbba")) < 1500 / 28 * 3


def test_a_search_that_has_seen_no_race_finds_what_hangs_on_locks() -> None:
    def scenario() -> None:
        one, two = threading.Lock(), threading.Lock()

        def take(first: threading.Lock, second: threading.Lock) -> None:
            with first, second:
                pass

        threads = [threading.Thread(target=take, args=pair) for pair in ((one, two), (two, one))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for granularity in ("sync", "access"):
        with pytest.raises(ScheduleFailure, match="deadlock"):
            explore(scenario, strategy="focus", granularity=granularity, schedules=200)
