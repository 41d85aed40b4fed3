"""A cycle of three locks that no two of the three threads show: cache before store, store before log, log before cache.

Each thread takes its first lock; then the cache's user waits for the store, the store's for the log, and the log's,
which wants to say how full the cache is, for the cache.
"""

import threading

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "a lock held while another component is called: Java Concurrency in Practice, §10.1.3"


class Service:
    def __init__(self) -> None:
        self.cache_lock = threading.Lock()
        self.store_lock = threading.Lock()
        self.log_lock = threading.Lock()
        self.cached = 0
        self.stored = 0
        self.lines: list[str] = []

    def put(self) -> None:
        with self.cache_lock:
            self.cached += 1
            with self.store_lock:
                self.stored += 1

    def compact(self) -> None:
        with self.store_lock:
            self.stored = 0
            with self.log_lock:
                self.lines.append("compacted")

    def summary(self) -> None:
        with self.log_lock, self.cache_lock:
            self.lines.append(f"{self.cached} cached")


def scenario() -> None:
    service = Service()
    threads = [threading.Thread(target=part) for part in (service.put, service.compact, service.summary)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(service.lines) == 2
