"""A cache whose methods call each other under a lock that its owner may take again.

`put` evicts while it holds the lock; no other thread gets between.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "https://docs.python.org/3/library/threading.html#rlock-objects"


class Cache:
    def __init__(self, size: int) -> None:
        self.size = size
        self.lock = threading.RLock()
        self.names: list[str] = []
        self.evicted: list[str] = []

    def put(self, name: str) -> None:
        with self.lock:
            if len(self.names) == self.size:
                self.evict()
            self.names.append(name)

    def evict(self) -> None:
        with self.lock:
            self.evicted.append(self.names.pop(0))


def scenario() -> None:
    cache = Cache(size=1)
    threads = [threading.Thread(target=cache.put, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cache.names) == 1
    assert sorted(cache.names + cache.evicted) == ["a", "b", "c"]
