"""A cache with a condition: the first caller computes, the others wait until it has, and nobody thought of errors.

The first caller marks the key as pending, and the price is not known yet: LookupError, and the mark stays. The second
caller, which came while it was pending or comes later, waits for ever. If the price is set first, all is well.
"""

import threading
from collections.abc import Callable

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "after the `condition` of cachetools.cached, tkem/cachetools#288; https://github.com/tkem/cachetools"


class Cached:
    def __init__(self, function: Callable[[str], int]) -> None:
        self.function = function
        self.ready = threading.Condition()
        self.pending: set[str] = set()
        self.known: dict[str, int] = {}

    def get(self, name: str) -> int:
        with self.ready:
            while name in self.pending:
                self.ready.wait()
            if name in self.known:
                return self.known[name]
            self.pending.add(name)
        value = self.function(name)
        with self.ready:
            self.known[name] = value
            self.pending.discard(name)
            self.ready.notify_all()
        return value


def scenario() -> None:
    prices: dict[str, int] = {}
    lock = threading.Lock()
    answers: list[int | None] = []

    def look_up(name: str) -> int:
        with lock:
            return prices[name]

    cached = Cached(look_up)

    def ask() -> None:
        try:
            answers.append(cached.get("tea"))
        except LookupError:
            answers.append(None)

    def set_price() -> None:
        with lock:
            prices["tea"] = 3

    threads = [threading.Thread(target=part) for part in (set_price, ask, ask)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 2
