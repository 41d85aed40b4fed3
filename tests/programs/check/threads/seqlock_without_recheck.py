"""A sequence lock whose reader waits for an even number, and does not look at it again when it has read.

The reader finds the number even and reads x = 0; the writer writes x = y = 1, with the number odd meanwhile; the reader
reads y = 1.
"""

import threading
import time

KIND = "failure"
LEVEL = "access"
SOURCE = (
    "sequence locks, Lameter, Effective Synchronization on Linux/NUMA Systems, 2005, without read_seqretry"
)


class Point:
    def __init__(self) -> None:
        self.sequence = 0
        self.x = 0
        self.y = 0

    def move(self, x: int, y: int) -> None:
        self.sequence += 1
        self.x = x
        self.y = y
        self.sequence += 1

    def read(self) -> tuple[int, int]:
        while self.sequence % 2:
            time.sleep(0)
        return self.x, self.y


def scenario() -> None:
    point = Point()
    seen: list[tuple[int, int]] = []

    def reader() -> None:
        seen.append(point.read())

    threads = [threading.Thread(target=point.move, args=(1, 1)), threading.Thread(target=reader)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[0] in {(0, 0), (1, 1)}
