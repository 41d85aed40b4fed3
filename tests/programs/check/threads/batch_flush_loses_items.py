"""A buffer of metrics is flushed by copying it and clearing it, each under the lock, but not under one hold of it.

The flusher copies ["a"] and lets the lock go; a writer adds "b"; the flusher clears the buffer: "b" was never sent.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "ours; atomicity violation of two locked calls, Flanagan, Freund, POPL 2004"


class Metrics:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.buffer: list[str] = []
        self.sent: list[str] = []

    def add(self, name: str) -> None:
        with self.lock:
            self.buffer.append(name)

    def flush(self) -> None:
        with self.lock:
            batch = list(self.buffer)
        self.sent.extend(batch)
        with self.lock:
            self.buffer.clear()


def scenario() -> None:
    metrics = Metrics()

    def count() -> None:
        metrics.add("a")
        metrics.add("b")

    threads = [threading.Thread(target=part) for part in (count, metrics.flush)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    metrics.flush()
    assert metrics.sent == ["a", "b"]
