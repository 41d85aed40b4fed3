"""What functions and classes captured when they were made is under control, and put back."""

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from headway import ScheduleFailure, explore
from headway.check.doubled import doubled


class Guard:
    clock = time.monotonic

    def __init__(self, factory: Callable[[], Any] = threading.Lock, *, now: Callable[[], float] = time.time):
        self.first, self.second = factory(), factory()
        self.now = now


@dataclasses.dataclass
class Stamp:
    made: float = dataclasses.field(default_factory=time.monotonic)


def test_locks_that_a_default_argument_makes_are_under_control() -> None:
    def scenario() -> None:
        guard = Guard()

        def one() -> None:
            with guard.first, guard.second:
                pass

        def two() -> None:
            with guard.second, guard.first:
                pass

        threads = [threading.Thread(target=work) for work in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with pytest.raises(ScheduleFailure, match="deadlock: 2 threads wait for each other"):
        explore(scenario, granularity="sync")


def test_clocks_that_were_captured_show_virtual_time() -> None:
    def scenario() -> None:
        guard, stamp = Guard(), Stamp()
        start = guard.now()
        time.sleep(1000)
        assert guard.now() - start == 1000
        assert Guard.clock() - stamp.made == 1000
        assert guard.clock() == Guard.clock()  # type: ignore[misc]  # a built-in function is no method

    explore(scenario, schedules=2)


def test_what_was_captured_is_put_back() -> None:
    kept = (Guard.__init__.__defaults__, Guard.__init__.__kwdefaults__, Guard.clock)
    cells = [cell.cell_contents for cell in Stamp.__init__.__closure__ or ()]
    with doubled(lambda: None):
        assert Guard.__init__.__defaults__ != kept[0]
        assert Guard.clock is not kept[2]
    assert (Guard.__init__.__defaults__, Guard.__init__.__kwdefaults__, Guard.clock) == kept
    assert [cell.cell_contents for cell in Stamp.__init__.__closure__ or ()] == cells
    assert time.monotonic in cells or not cells


def test_the_shortest_sleep_lets_others_come_first() -> None:
    def scenario() -> None:
        done: list[int] = []
        thread = threading.Thread(target=lambda: done.append(1))
        thread.start()
        time.sleep(5e-324)
        assert done

    explore(scenario, granularity="sync")
