"""Orders are told apart where they can matter, and nowhere else: as many schedules are run as there are classes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from functools import partial

import pytest

from enumerated import enumerations
from headway.check.strategies.dpor import DPOR

Scenario = Callable[[], None]


class Box:
    """What threads share."""

    shared = 0

    def __init__(self) -> None:
        self.x = 0
        self.y = 0
        self.lock = threading.Lock()
        self.other = threading.Lock()
        self.items: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.entries = {"a": 0}


def run(*works: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def writers(threads: int, times: int) -> Scenario:
    def scenario() -> None:
        box = Box()

        def write() -> None:
            for _ in range(times):
                box.x = 1

        run(*[write] * threads)

    return scenario


def writers_of_their_own() -> None:
    def write(box: Box) -> None:
        box.x = 1
        box.y = 2

    boxes = [Box() for _ in range(3)]
    run(*[partial(write, box) for box in boxes])


def readers() -> None:
    box = Box()

    def look() -> None:
        assert box.x == box.y == 0

    run(look, look, look)


def one_lock() -> None:
    box = Box()

    def add() -> None:
        with box.lock:
            box.x += 1

    run(add, add, add)


def two_locks() -> None:
    box = Box()

    def add() -> None:
        with box.lock:
            box.x += 1
        with box.other:
            box.y += 1

    run(add, add)


def one_queue() -> None:
    box = Box()
    run(partial(box.items.put, 1), partial(box.items.put, 2), box.items.get)


def entries_of_one_dict() -> None:
    box = Box()
    box.entries["b"] = 0

    def write(key: str) -> None:
        box.entries[key] = 1

    run(lambda: write("a"), lambda: write("b"))


def an_entry_and_all() -> None:
    box = Box()
    sizes: list[int] = []

    def write() -> None:
        box.entries["b"] = 1

    run(write, lambda: sizes.append(len(box.entries)))


def a_class_and_its_object() -> None:
    box, seen = Box(), []

    def write() -> None:
        Box.shared = 1

    run(lambda: seen.append(box.shared), write)


def two_objects_of_one_class() -> None:
    boxes = [Box(), Box()]

    def add(box: Box) -> None:
        box.shared += 1

    run(partial(add, boxes[0]), partial(add, boxes[1]))


def one_after_another() -> None:
    box = Box()

    def look_and_write() -> None:
        if box.y >= 0:
            box.x = 2

    def write_x() -> None:
        box.x = 1

    def write_y() -> None:
        box.y = 1

    run(write_x, write_y, look_and_write)


def an_attribute_and_its_class() -> None:
    box, seen = Box(), []

    def hide() -> None:
        box.shared = 1

    run(hide, lambda: seen.append(box.shared))


@pytest.mark.parametrize(
    ("scenario", "classes"),
    [
        (writers(2, 1), 2),  # the orders of n times k writes to one variable: (nk)! / (k!)**n
        (writers(2, 2), 6),
        (writers(2, 3), 20),
        (writers(3, 1), 6),
        (writers(3, 2), 90),
        (writers_of_their_own, 1),
        (readers, 1),
        (one_lock, 6),
        (two_locks, 4),
        (one_queue, 4),  # which item comes first, and whether the other comes before or after it is taken
        (entries_of_one_dict, 1),
        (an_entry_and_all, 2),
        (an_attribute_and_its_class, 2),
        (a_class_and_its_object, 2),
        (two_objects_of_one_class, 1),
        (one_after_another, 4),
    ],
)
def test_one_schedule_of_each_class_is_run_and_no_other(scenario: Scenario, classes: int) -> None:
    strategy = DPOR()
    with enumerations(scenario) as enumerate_with:
        _, executions = enumerate_with(strategy)
    assert (strategy.classes, strategy.repeated, executions) == (classes, 0, classes)
