"""A read-write lock made of two fields: each side looks whether the other is inside, without a lock.

The writer sees no readers; a reader sees no writer, counts itself and reads the first half of the document; the writer
marks itself and writes both halves; the reader reads the second half: it has halves of two editions.
"""

import threading
import time

KIND = "failure"
LEVEL = "access"
SOURCE = "SCTBench read_write_lock_bad; https://github.com/mc-imperial/sctbench"


class Document:
    def __init__(self) -> None:
        self.readers = 0
        self.writing = False
        self.top = 1
        self.bottom = 1

    def write(self, edition: int) -> None:
        while self.readers > 0:
            time.sleep(0)
        self.writing = True
        self.top = edition
        self.bottom = edition
        self.writing = False

    def read(self) -> tuple[int, int]:
        while self.writing:
            time.sleep(0)
        self.readers += 1
        try:
            return self.top, self.bottom
        finally:
            self.readers -= 1


def scenario() -> None:
    document = Document()
    seen: list[tuple[int, int]] = []

    def reader() -> None:
        seen.append(document.read())

    threads = [threading.Thread(target=document.write, args=(2,)), threading.Thread(target=reader)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[0] in {(1, 1), (2, 2)}
