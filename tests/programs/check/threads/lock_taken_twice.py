"""A cache that evicts when it is full, by a method that takes the lock which its caller holds.

Usually the other thread has made room by then. If both put before any discards, the second calls `evict`, and waits for
itself.
"""

import threading

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "ours; an RLock was assumed: https://docs.python.org/3/library/threading.html#rlock-objects"


class Cache:
    def __init__(self, size: int) -> None:
        self.size = size
        self.lock = threading.Lock()
        self.names: list[str] = []

    def put(self, name: str) -> None:
        with self.lock:
            if len(self.names) == self.size:
                self.evict()
            self.names.append(name)

    def evict(self) -> None:
        with self.lock:
            self.names.pop(0)

    def discard(self, name: str) -> None:
        with self.lock:
            if name in self.names:
                self.names.remove(name)


def scenario() -> None:
    cache = Cache(size=1)

    def use(name: str) -> None:
        cache.put(name)
        cache.discard(name)

    threads = [threading.Thread(target=use, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.names == []
