"""Functions that change something of this process are known by their code, and others are not accused."""

from __future__ import annotations

import functools
import math
import queue
import threading
from collections import Counter
from collections.abc import Callable

import pytest

from headway.run.effects import effect

SEEN: list[int] = []
COUNTS: dict[str, int] = {}
PRIMES = [2, 3, 5, 7]
NAMES = {"one": 1}
LOCK = threading.Lock()
QUEUE: queue.Queue[int] = queue.Queue()
total = 0


def assigns(number: int) -> None:
    global total
    total = number


def appends(number: int) -> None:
    SEEN.append(number)


def counts(word: str) -> None:
    COUNTS[word] = 1


def counts_up(word: str) -> None:
    COUNTS[word] += 1


def locks(number: int) -> int:
    with LOCK:
        return number


def puts(number: int) -> None:
    QUEUE.put(number)


def calls_one_that_appends(number: int) -> None:
    for _ in range(3):
        appends(number)


def inside_a_comprehension(numbers: list[int]) -> list[None]:
    return [SEEN.append(number) for number in numbers]  # type: ignore[func-returns-value]


class Tally:
    def __init__(self) -> None:
        self.count = 0
        self.words: list[str] = []

    def counts(self, number: int) -> None:
        self.count += number

    def collects(self, word: str) -> None:
        self.words.append(word)

    def reads(self, word: str) -> int:
        return self.count + len(self.words) + self.words.index(word)

    def __call__(self, number: int) -> None:
        self.count = number


def enclosing() -> Callable[[int], None]:
    best = 0

    def keeps(number: int) -> None:
        nonlocal best
        best = max(best, number)

    return keeps


def collecting() -> Callable[[int], None]:
    found: set[int] = set()
    return lambda number: found.add(number)


@pytest.mark.parametrize(
    ("fn", "why"),
    [
        (assigns, "it assigns the global `total`"),
        (appends, "it changes the list `SEEN`"),
        (counts, "it may change the dict `COUNTS`"),
        (counts_up, "it may change the dict `COUNTS`"),
        (locks, "it uses the lock `LOCK`"),
        (puts, "it uses the Queue `QUEUE`"),
        (calls_one_that_appends, "`appends`, which it calls: it changes the list `SEEN`"),
        (inside_a_comprehension, "it changes the list `SEEN`"),
        (enclosing(), "it assigns `best` of an enclosing function"),
        (collecting(), "it changes the set `found`"),
        (SEEN.append, "it is a method of a list of this process"),
        (QUEUE.put, "it is a method of a Queue of this process"),
        (Tally().counts, "it assigns the attribute `count`"),
        (Tally().collects, "it calls `append` on what its object holds"),
        (Tally(), "it assigns the attribute `count`"),
        (functools.partial(locks), "it uses the lock `LOCK`"),
        (functools.partial(max, LOCK), "it is given a lock of this process"),
    ],
)
def test_a_change_to_this_process_is_seen(fn: Callable[..., object], why: str) -> None:
    assert effect(fn) == why


def reads(number: int) -> int:
    return PRIMES[number] + NAMES["one"]


def local_changes(text: str) -> dict[str, int]:
    words: dict[str, int] = {}
    for word in text.split():
        words[word] = words.get(word, 0) + 1
    return words


def own_list(count: int) -> list[int]:
    result = []
    for number in range(count):
        result.append(number)
    return result


def recursive(number: int) -> int:
    return 1 if number < 2 else number * recursive(number - 1)


@pytest.mark.parametrize(
    "fn",
    [
        reads,
        local_changes,
        own_list,
        recursive,
        math.sqrt,
        len,
        str.upper,
        "x".join,
        Counter,
        lambda x: x + 1,
    ],
)
def test_a_function_without_such_changes_is_not_accused(fn: Callable[..., object]) -> None:
    assert effect(fn) is None
