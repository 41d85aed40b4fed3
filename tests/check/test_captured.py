"""What functions and classes captured when they were made is under control, and put back."""

import dataclasses
import importlib
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headway import ScheduleFailure, explore
from headway.check.doubled import doubled

OBJECTS_ARE_LOOKED_AT = True
"""Of this module, too: what its functions and classes keep is found that way."""


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


def test_what_a_scenario_imports_has_the_real_things_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_late.py").write_text(
        "from threading import Event, Lock, RLock\n"
        "from time import monotonic\n"
        "def stamp(now=monotonic): return now()\n"
        "class Guard:\n"
        "    make = staticmethod(Lock)\n"
        "    clock = monotonic\n"
        "done = Event()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    seen: list[Any] = []

    def scenario() -> None:
        late = importlib.import_module("imported_late")
        seen.append(late.Lock)

    explore(scenario, schedules=2)
    late: Any = sys.modules.pop("imported_late")
    assert seen[0] is not threading.Lock
    assert (late.Event, late.Lock, late.RLock) == (threading.Event, threading.Lock, threading.RLock)
    assert late.monotonic is late.Guard.clock is late.stamp.__defaults__[0] is time.monotonic
    assert not late.done.is_set()


@pytest.mark.parametrize("made", ["Condition", "Event", "Semaphore"])
def test_all_threads_use_one_real_thing_outside_an_execution(made: str) -> None:
    found: list[Any] = []
    explore(lambda: found.append(getattr(threading, made)()), schedules=1)
    waiting = threading.Barrier(8)
    real: list[Any] = []

    def look() -> None:
        waiting.wait()
        real.append(found[0]._outside())

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(real) == 8
    assert len(set(map(id, real))) == 1
