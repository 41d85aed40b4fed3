"""A cache that is locked while it is looked into and while it is filled, and not while the value is computed.

Both callers miss; both compute; the expensive function has run twice for one key.
"""

import threading
from collections.abc import Callable

KIND = "failure"
LEVEL = "sync"
SOURCE = "after tkem/cachetools#288 and #294; https://github.com/tkem/cachetools/issues/294"


def cached(function: Callable[[int], int]) -> Callable[[int], int]:
    known: dict[int, int] = {}
    lock = threading.Lock()

    def call(argument: int) -> int:
        with lock:
            if argument in known:
                return known[argument]
        value = function(argument)
        with lock:
            return known.setdefault(argument, value)

    return call


def scenario() -> None:
    computed: list[int] = []

    @cached
    def square(number: int) -> int:
        computed.append(number)
        return number * number

    threads = [threading.Thread(target=square, args=(3,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert computed == [3]
