"""A record has two parts, each with its own lock, and a writer fills one after the other.

The writer fills the first part and lets its lock go; the reader reads the first part, then the second, which is still
empty; the writer fills it.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "SCTBench twostage_bad; https://github.com/mc-imperial/sctbench"


class Record:
    def __init__(self) -> None:
        self.first_lock = threading.Lock()
        self.second_lock = threading.Lock()
        self.first = 0
        self.second = 0

    def write(self) -> None:
        with self.first_lock:
            self.first = 1
        with self.second_lock:
            self.second = 2

    def read(self) -> tuple[int, int]:
        with self.first_lock:
            first = self.first
        with self.second_lock:
            return first, self.second


def scenario() -> None:
    record = Record()
    seen: list[tuple[int, int]] = []

    def reader() -> None:
        seen.append(record.read())

    threads = [threading.Thread(target=record.write), threading.Thread(target=reader)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = seen[0]
    assert first == 0 or second == 2
