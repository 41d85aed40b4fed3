"""Producers and consumers wait on one condition, and each wakes only one waiter.

Capacity 1. Both consumers wait. The first producer puts and wakes consumer 1. The second producer finds the buffer full
and waits behind consumer 2. Consumer 1 takes, and its notify wakes consumer 2, which finds nothing and waits again.
The producer, for whom there is room, sleeps for ever, and consumer 2 with it.
"""

import threading

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "SCTBench boundedBuffer (CHESS); https://github.com/mc-imperial/sctbench"


class Buffer:
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.items: list[str] = []
        self.changed = threading.Condition()

    def put(self, item: str) -> None:
        with self.changed:
            while len(self.items) == self.capacity:
                self.changed.wait()
            self.items.append(item)
            self.changed.notify()

    def get(self) -> str:
        with self.changed:
            while not self.items:
                self.changed.wait()
            item = self.items.pop(0)
            self.changed.notify()
            return item


def scenario() -> None:
    buffer = Buffer(capacity=1)
    threads = [
        threading.Thread(target=buffer.get),
        threading.Thread(target=buffer.get),
        threading.Thread(target=buffer.put, args=("a",)),
        threading.Thread(target=buffer.put, args=("b",)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert buffer.items == []
