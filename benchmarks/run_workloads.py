"""The workloads of `run.py`: what is called, on what, and whether the results are right.

Functions are on the top level, so that workers of every library find them by name. Nothing here imports more
than it needs: the time of a cold start goes through this file.
"""

from __future__ import annotations

import functools
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

CORES = len(os.sched_getaffinity(0))
KILLER = 7
"""The call of `kill` that ends its worker."""


class WrongResults(Exception):
    """A contender gave something else than the plain loop would."""


class Work(NamedTuple):
    """One workload."""

    what: str
    """For the heading of its table."""
    kinds: str
    """Which workers take part: "threads", "processes" or both; `once` is for what is not a map."""
    count: int
    fn: Callable[[Any], Any]
    items: Callable[[int], Iterable[Any]]
    """Makes the input anew."""
    consume: Callable[[Iterable[Any]], Any]
    """Reads the results; its time counts."""
    right: Callable[[Any, int], bool]
    """Whether what was read is what a plain loop gives; its time does not count."""
    chunk: int | None = None
    """The chunk size that does best, where that is not 1."""
    threads: int = CORES
    """How many threads do best."""
    pinned: tuple[str, ...] = ("processes",)
    """The backends of headway to show beside "auto"."""
    unit: str = "s"


# ---- what is called ----


def tiny(number: int) -> int:
    return number + 1


def spin(loops: int) -> int:
    total = 0
    for _ in range(loops):
        total += 1
    return total


@functools.cache
def unsorted() -> Any:
    import numpy as np

    return np.random.default_rng(7).random(int(os.environ.get("BENCH_SORTED", "100000")))


def sort(number: int) -> float:
    import numpy as np

    return float(np.sort(unsorted() + number)[0])


def wait(number: int) -> int:
    time.sleep(0.010)
    return number


def fetch(number: int) -> int:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["BENCH_PORT"]), timeout=30)
    try:
        connection.request("GET", f"/{number}")
        return int(connection.getresponse().read())
    finally:
        connection.close()


def add_one(array: Any) -> Any:
    return array + 1


def turn(line: bytes) -> bytes:
    return line[::-1]


def kill(number: int) -> int:
    if number == KILLER:
        os.kill(os.getpid(), signal.SIGKILL)
    spin(int(os.environ.get("BENCH_LOOPS", "200000")) // 2)
    return number


# ---- what goes in and what must come out ----


def loops_of(ms: float) -> int:
    return int(int(os.environ.get("BENCH_LOOPS", "200000")) * ms / 10)


def numbers(count: int) -> Iterator[int]:
    return (number for number in range(count))


def equal_loops(count: int) -> list[int]:
    return [loops_of(10) + number for number in range(count)]  # distinct, so that the order shows


def uneven_loops(count: int) -> list[int]:
    import math
    import random

    dice = random.Random(7)
    return [loops_of(dice.lognormvariate(math.log(5) - 0.5, 1.0)) for _ in range(count)]


@functools.cache
def arrays(count: int) -> list[Any]:
    import numpy as np

    return [np.full(2_000_000, float(number)) for number in range(count)]


def read_arrays(results: Iterable[Any]) -> list[tuple[Any, ...]]:
    return [(array.shape, array[0], array[-1]) for array in results]


def lines(count: int) -> Iterator[bytes]:
    return (b"%08d" % number + bytes(1016) for number in range(count))


def read_lines(results: Iterable[bytes]) -> int:
    number = 0
    for line in results:
        if len(line) != 1024 or int(line[:-9:-1]) != number:
            raise WrongResults(f"line {number} is {line[:-9:-1]!r}")
        number += 1
    return number


def sorted_right(results: list[float], count: int) -> bool:
    least = float(unsorted().min())
    return results == [least + number for number in range(count)]


WORKS: dict[str, Work] = {
    "tiny": Work(
        "tiny calls, ordered, the input a generator",
        "threads processes",
        100_000,
        tiny,
        numbers,
        list,
        lambda results, count: results == list(range(1, count + 1)),
        chunk=2000,
        pinned=("serial", "threads", "processes"),
    ),
    "busy": Work(
        "calls of 10 ms in pure Python",
        "processes",
        200,
        spin,
        equal_loops,
        list,
        lambda results, count: results == equal_loops(count),
        chunk=4,
    ),
    "numpy": Work(
        "calls that sort 10 ms in NumPy, without the GIL",
        "threads processes",
        100,
        sort,
        numbers,
        list,
        sorted_right,
        chunk=4,
        pinned=("threads", "processes"),
    ),
    "sleep": Work(
        "calls that sleep 10 ms",
        "threads",
        1000,
        wait,
        numbers,
        list,
        lambda results, count: results == list(range(count)),
        threads=256,
        pinned=("threads",),
    ),
    "http": Work(
        "HTTP requests on the loopback, the server waits 5 ms",
        "threads",
        500,
        fetch,
        numbers,
        list,
        lambda results, count: results == list(range(count)),
        threads=32,
        pinned=("threads",),
    ),
    "arrays": Work(
        "arrays of 16 MB to worker processes and back",
        "processes",
        20,
        add_one,
        arrays,
        read_arrays,
        lambda results, count: results == [((2_000_000,), n + 1, n + 1) for n in range(count)],
    ),
    "uneven": Work(
        "calls in pure Python, log-normal, 5 ms on average",
        "processes",
        300,
        spin,
        uneven_loops,
        list,
        lambda results, count: results == uneven_loops(count),
        chunk=4,
    ),
    "cold": Work(
        "from a new interpreter to the first of 4 results, without fork",
        "processes once",
        4,
        tiny,
        numbers,
        lambda results: next(iter(results)),
        lambda result, count: bool(result == 1),
        unit="ms",
    ),
    "trip": Work(
        "one tiny call and its result, warm worker processes, median",
        "processes once",
        1000,
        tiny,
        numbers,
        list,
        lambda results, count: results == list(range(1, count + 1)),
        unit="µs",
    ),
    "memory": Work(
        "lines of 1 KB in and out, an endless-looking stream: peak memory of all processes",
        "processes once",
        200_000,
        turn,
        lines,
        read_lines,
        lambda result, count: bool(result == count),
        chunk=500,
        unit="MB",
    ),
    "kill": Work(
        "calls of 5 ms, one of which kills its worker",
        "processes once",
        20,
        kill,
        lambda count: list(range(count)),
        list,
        lambda kept, count: set(kept) <= {*range(count)} - {KILLER} and len(set(kept)) == len(kept),
    ),
}


def expected_count(name: str, *, quick: bool) -> int:
    """How many calls of a workload are made."""
    count = WORKS[name].count
    return count if not quick or count <= 20 else max(count // 20, 20)


def chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while chunk := list(itertools.islice(rest, size)):
        yield chunk
