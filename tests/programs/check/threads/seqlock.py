"""A sequence lock: the writer makes the number odd while it writes, and a reader that saw it change reads again.

Writers exclude each other by a lock. The writer writes once, so a reader gets through.
"""

import threading
import time

KIND = "ok"
LEVEL = "access"
SOURCE = "sequence locks, Lameter, Effective Synchronization on Linux/NUMA Systems, 2005"


class Point:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sequence = 0
        self.x = 0
        self.y = 0

    def move(self, x: int, y: int) -> None:
        with self.lock:
            self.sequence += 1
            self.x = x
            self.y = y
            self.sequence += 1

    def read(self) -> tuple[int, int]:
        while True:
            before = self.sequence
            if before % 2 == 0:
                x, y = self.x, self.y
                if self.sequence == before:
                    return x, y
            time.sleep(0)


def scenario() -> None:
    point = Point()
    seen: list[tuple[int, int]] = []

    def reader() -> None:
        seen.append(point.read())

    threads = [threading.Thread(target=point.move, args=(1, 1))]
    threads += [threading.Thread(target=reader) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) <= {(0, 0), (1, 1)}
