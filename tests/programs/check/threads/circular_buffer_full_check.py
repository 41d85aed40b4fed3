"""A circular buffer whose methods are all locked, and a producer that first asks whether it is full.

One slot is free. Both producers ask, and hear that there is room; both put: the second overwrites the oldest item,
which nobody has read.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "SCTBench circular_buffer_bad; https://github.com/mc-imperial/sctbench"


class CircularBuffer:
    def __init__(self, size: int) -> None:
        self.lock = threading.Lock()
        self.slots = [""] * size
        self.written = 0
        self.read = 0

    def full(self) -> bool:
        with self.lock:
            return self.written - self.read == len(self.slots)

    def put(self, item: str) -> None:
        with self.lock:
            self.slots[self.written % len(self.slots)] = item
            self.written += 1


def scenario() -> None:
    buffer = CircularBuffer(2)
    buffer.put("old")
    refused: list[str] = []

    def produce(item: str) -> None:
        if buffer.full():
            refused.append(item)
        else:
            buffer.put(item)

    threads = [threading.Thread(target=produce, args=(item,)) for item in ("x", "y")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "old" in buffer.slots
    assert len(refused) == 1
