"""A bounded buffer with a condition for each side, on one lock.

A put wakes a taker and a take wakes a putter, and each looks again when it has been woken.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "Hoare, Monitors, CACM 1974, with the `while` of Mesa"


class Buffer:
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.items: list[str] = []
        self.lock = threading.Lock()
        self.not_full = threading.Condition(self.lock)
        self.not_empty = threading.Condition(self.lock)

    def put(self, item: str) -> None:
        with self.lock:
            while len(self.items) == self.capacity:
                self.not_full.wait()
            self.items.append(item)
            self.not_empty.notify()

    def get(self) -> str:
        with self.lock:
            while not self.items:
                self.not_empty.wait()
            item = self.items.pop(0)
            self.not_full.notify()
            return item


def scenario() -> None:
    buffer = Buffer(capacity=1)
    got: list[str] = []

    def consume() -> None:
        got.append(buffer.get())

    threads = [threading.Thread(target=consume) for _ in range(2)]
    threads += [threading.Thread(target=buffer.put, args=(item,)) for item in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == ["a", "b"]
