"""What a program made before it was explored is under control, wherever it keeps it, and put back."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from headway import ScheduleFailure, explore
from headway.check.doubled import doubled

OBJECTS_ARE_LOOKED_AT = True
"""Of this module, too: what its functions and classes keep is found that way."""


class Cache:
    """Keeps a clock, as caches do whose entries grow old."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.since = 0.0


class Slim:
    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.lock = threading.Lock()


class Shared:
    """Locks that all of its objects have."""

    one = threading.Lock()
    two = threading.Lock()
    both = (threading.Lock(), threading.Lock())


def of_class() -> tuple[Any, Any]:
    return Shared.one, Shared.two


def of_tuple_in_class() -> tuple[Any, Any]:
    return Shared.both


for _ in range(1000):
    of_class(), of_tuple_in_class()  # Python remembers now where it has found them


waiting: "queue.Queue[int]" = queue.Queue()
lock = threading.Lock()
changed = threading.Condition(lock)
cache = Cache()
pair = (threading.Lock(), threading.Lock())
shelves: dict[str, Any] = {"slim": Slim(), "list": [threading.Lock()], "deque": deque([threading.Lock()])}


def guarded(work: Callable[[], None], by: Any = lock) -> None:
    with by:
        work()


def in_threads(*works: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_queue_that_was_made_before_is_whole() -> None:
    def scenario() -> None:
        got: list[int] = []
        in_threads(lambda: waiting.put(1), lambda: got.append(waiting.get()))
        assert got == [1]

    explore(scenario, schedules=50)


def test_a_condition_that_was_made_before_keeps_its_lock() -> None:
    def scenario() -> None:
        with lock:
            changed.notify_all()

    explore(scenario, schedules=5)


def test_a_default_argument_is_the_lock_that_the_module_has() -> None:
    def scenario() -> None:
        inside: list[int] = []

        def work() -> None:
            inside.append(1)
            assert inside == [1]
            inside.pop()

        def directly() -> None:
            with lock:
                work()

        in_threads(directly, lambda: guarded(work))

    explore(scenario, schedules=100)


@pytest.mark.parametrize(
    "both",
    [
        lambda: pair,
        of_class,
        of_tuple_in_class,
        lambda: (shelves["slim"].lock, pair[0]),
        lambda: (shelves["list"][0], pair[0]),
        lambda: (shelves["deque"][0], pair[0]),
    ],
    ids=["tuple", "class", "tuple in a class", "slots", "list", "deque"],
)
def test_locks_that_were_made_before_are_under_control(both: Callable[[], tuple[Any, Any]]) -> None:
    def scenario() -> None:
        def take(first: Any, second: Any) -> None:
            with first, second:
                pass

        one, two = both()
        in_threads(lambda: take(one, two), lambda: take(two, one))

    with pytest.raises(ScheduleFailure, match="deadlock: 2 threads wait for each other"):
        explore(scenario, granularity="sync")


def test_a_clock_that_an_object_keeps_shows_virtual_time() -> None:
    def scenario() -> None:
        start = cache.clock()
        time.sleep(1000)
        assert cache.clock() - start == 1000

    assert explore(scenario, schedules=2).notes == ()


def test_it_is_said_what_keeps_a_real_clock() -> None:
    ticks = partial(time.monotonic)

    def scenario() -> None:
        ticks()

    (note,) = explore(scenario, schedules=2).notes
    name = f"{__name__}.{scenario.__qualname__}"
    assert note == f"a partial object at {name} keeps the real time.monotonic"


def test_it_is_said_which_lock_somebody_holds() -> None:
    held = [threading.Lock()]
    held[0].acquire()

    def scenario() -> None:
        assert held

    (note,) = explore(scenario, schedules=2).notes
    name = f"{__name__}.{scenario.__qualname__}"
    assert note == f"a list object at {name} keeps the real lock, which somebody holds"


def test_what_was_lent_is_put_back() -> None:
    slots, first = shelves["slim"].lock, shelves["list"][0]

    def scenario() -> None:
        guarded(lambda: None)
        assert waiting, cache

    before = (waiting.mutex, changed, cache.clock, pair, guarded.__defaults__)
    with doubled(scenario):
        assert cache.clock is not time.__dict__["monotonic"] or time.monotonic is cache.clock
        assert pair is not before[3]
        assert waiting.mutex is waiting.not_empty._lock  # type: ignore[attr-defined]
        assert waiting.mutex is not before[0]
    assert (waiting.mutex, changed, cache.clock, pair, guarded.__defaults__) == before
    assert (shelves["slim"].lock, shelves["list"][0]) == (slots, first)


def test_threads_that_run_are_left_alone() -> None:
    thread = threading.current_thread()
    own = vars(thread)["_started"]

    def scenario() -> None:
        assert thread

    with doubled(scenario) as notes:
        assert vars(thread)["_started"] is own
    assert notes == []
