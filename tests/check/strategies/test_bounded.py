"""The enumeration, and what it does when the program leaves its path."""

import itertools
import threading
from types import SimpleNamespace
from typing import Any

from headway import explore
from headway.check.ending import Ending
from headway.check.strategies.bounded import Bounded


def unit(number: int) -> Any:
    return SimpleNamespace(number=number, inner=False)


def test_who_leaves_the_path_is_not_stopped_and_the_enumeration_begins_anew() -> None:
    bounded, units = Bounded(), [unit(0), unit(1), unit(2)]
    execution: Any = None
    bounded.begin(execution)
    assert bounded.choose(units[1:], units[0], units[1]) is units[1]
    bounded.end(Ending("ok"))
    bounded.begin(execution)
    assert bounded.choose(units[:2], units[0], units[0]) is units[0]  # on the path is 2
    assert bounded.diverged == "unit 2 was to go on, and cannot"
    bounded.end(Ending("ok"))
    bounded.begin(execution)
    assert bounded.choose(units[1:], units[0], units[1]) is units[1]
    assert not bounded.diverged


class Box:
    def __init__(self) -> None:
        self.value = 0


def test_what_is_found_to_be_shared_on_the_way_is_no_fault_of_the_program() -> None:
    # As an id that is used again may make it seem.
    for late in range(2, 12):
        runs = itertools.count(1)

        def scenario(late: int = late, runs: Any = runs) -> None:
            shared = Box()
            lock = threading.Lock()
            mixed = next(runs) >= late

            def work(box: Box) -> None:
                box.value = 1
                with lock:
                    pass
                box.value = 2

            threads = [threading.Thread(target=work, args=(shared if mixed else Box(),)) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        explore(scenario, strategy="bounded", schedules=60)
