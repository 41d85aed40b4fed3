"""A ring for one producer is filled by two.

Producer 1 writes its item to slot 0; before it moves the tail, producer 2 reads the same tail and writes its item to
slot 0, too. Both then move the tail: an item is gone, and an empty slot is counted as filled.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "SCTBench queue_bad; https://github.com/mc-imperial/sctbench"


class Ring:
    def __init__(self, size: int) -> None:
        self.slots: list[str | None] = [None] * size
        self.tail = 0

    def put(self, item: str) -> None:
        self.slots[self.tail % len(self.slots)] = item
        self.tail += 1


def scenario() -> None:
    ring = Ring(4)
    threads = [threading.Thread(target=ring.put, args=(item,)) for item in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(ring.slots[: ring.tail]) == {"a", "b"}
