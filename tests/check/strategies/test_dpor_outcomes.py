"""DPOR sees what the enumeration of all schedules sees, whatever small program it is given."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Hashable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enumerated import enumerations
from headway.check.strategies.bounded import Bounded
from headway.check.strategies.dpor import DPOR


class Box:
    """What threads share."""

    shared = 0

    def __init__(self) -> None:
        self.x = 0
        self.y = 0
        self.lock = threading.Lock()
        self.other = threading.Lock()
        self.items: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.permits = threading.Semaphore(1)
        self.event = threading.Event()
        self.entries = {"a": 0}


Step = Callable[[Box, list[object]], object]


def read(box: Box, seen: list[object]) -> None:
    seen.append(box.x)


def write(box: Box, seen: list[object]) -> None:
    box.x = 7 + len(seen)


def add(box: Box, seen: list[object]) -> None:
    box.x += 1


def write_by_name(box: Box, seen: list[object]) -> None:
    vars(box)["x"] = 3


def read_by_dictionary(box: Box, seen: list[object]) -> None:
    seen.append(box.__dict__.get("x"))


def hide_default(box: Box, seen: list[object]) -> None:
    box.shared = 1


def read_default(box: Box, seen: list[object]) -> None:
    seen.append(box.shared)


def locked_add(box: Box, seen: list[object]) -> None:
    with box.lock:
        box.y += 1


def locked_read(box: Box, seen: list[object]) -> None:
    with box.lock:
        seen.append((box.x, box.y))


def two_in_order(box: Box, seen: list[object]) -> None:
    with box.lock, box.other:
        box.y += 2


def two_in_the_other_order(box: Box, seen: list[object]) -> None:
    with box.other, box.lock:
        box.y *= 2


def put(box: Box, seen: list[object]) -> None:
    box.items.put(box.x)


def get(box: Box, seen: list[object]) -> None:
    seen.append(box.items.get())


def poll(box: Box, seen: list[object]) -> None:
    seen.append(box.items.qsize())


def take(box: Box, seen: list[object]) -> None:
    box.permits.acquire()


def give(box: Box, seen: list[object]) -> None:
    box.permits.release()


def signal(box: Box, seen: list[object]) -> None:
    box.event.set()


def clear(box: Box, seen: list[object]) -> None:
    box.event.clear()


def wait(box: Box, seen: list[object]) -> None:
    seen.append(box.event.wait(1))


def sleep(box: Box, seen: list[object]) -> None:
    time.sleep(1)


def insert(box: Box, seen: list[object]) -> None:
    box.entries["b"] = box.x


def size(box: Box, seen: list[object]) -> None:
    seen.append(len(box.entries))


FAMILIES: tuple[tuple[Step, ...], ...] = (
    (read, write, add, write_by_name, read_by_dictionary),
    (hide_default, read_default, insert, size, write),
    (add, locked_add, locked_read, two_in_order, two_in_the_other_order),
    (put, get, poll, write),
    (take, give, add),
    (signal, clear, wait, add, sleep),
)
"""Steps that may disturb each other."""


def scripts(steps: tuple[Step, ...]) -> st.SearchStrategy[list[list[Step]]]:
    some = st.lists(st.lists(st.sampled_from(steps), min_size=1, max_size=2), min_size=2, max_size=3)
    return some.filter(lambda scripts: sum(map(len, scripts)) <= 4)


SCRIPTS = st.sampled_from((*FAMILIES, sum(FAMILIES, ()))).flatmap(scripts)
MOST = 400
"""Executions; all schedules of some programs are more, and then all outcomes of these many must be there."""


class Program:
    """Two or three threads, the scenario's own among them, that each do a few steps; and what came of it."""

    def __init__(self) -> None:
        self.scripts: tuple[tuple[Step, ...], ...] = ()
        self.outcome: Hashable = None

    def take(self, scripts: list[list[Step]]) -> None:
        self.scripts = tuple(map(tuple, scripts))

    def __call__(self) -> None:
        self.outcome = None
        box = Box()
        seen: list[list[object]] = [[] for _ in self.scripts]

        def work(script: tuple[Step, ...], mine: list[object]) -> None:
            for step in script:
                step(box, mine)

        threads = [
            threading.Thread(target=work, args=pair) for pair in zip(self.scripts[1:], seen[1:], strict=True)
        ]
        for thread in threads:
            thread.start()
        work(self.scripts[0], seen[0])
        for thread in threads:
            thread.join()
        self.outcome = (tuple(map(tuple, seen)), box.x, box.y, box.shared, box.items.qsize())


@pytest.mark.timeout(300)
def test_no_outcome_is_missed_that_any_schedule_has() -> None:
    program = Program()
    with enumerations(program) as enumerate_with:  # once, since it takes longer than all of the rest

        @settings(max_examples=30, deadline=None)
        @given(SCRIPTS)
        def compare(scripts: list[list[Step]]) -> None:
            program.take(scripts)
            bounded, reduced = Bounded(), DPOR()
            expected, _ = enumerate_with(bounded, MOST)
            found, _ = enumerate_with(reduced, MOST)
            assert reduced.exhausted or not bounded.exhausted
            if (
                reduced.exhausted
            ):  # it may see more: the other has no points at what it has not seen to be shared
                assert expected <= found

        compare()
