"""A read-write lock over a condition: readers wait for the writer, the writer for readers.

A document is read whole, in one edition.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "Courtois, Heymans, Parnas, CACM 1971; SCTBench read_write_lock_bad, mended"


class ReadWriteLock:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.readers = 0
        self.writing = False

    def start_reading(self) -> None:
        with self.changed:
            while self.writing:
                self.changed.wait()
            self.readers += 1

    def stop_reading(self) -> None:
        with self.changed:
            self.readers -= 1
            self.changed.notify_all()

    def start_writing(self) -> None:
        with self.changed:
            while self.writing or self.readers > 0:
                self.changed.wait()
            self.writing = True

    def stop_writing(self) -> None:
        with self.changed:
            self.writing = False
            self.changed.notify_all()


def scenario() -> None:
    lock = ReadWriteLock()
    document = {"top": 1, "bottom": 1}
    seen: list[tuple[int, int]] = []

    def write() -> None:
        lock.start_writing()
        document["top"] = 2
        document["bottom"] = 2
        lock.stop_writing()

    def read() -> None:
        lock.start_reading()
        seen.append((document["top"], document["bottom"]))
        lock.stop_reading()

    threads = [threading.Thread(target=part) for part in (write, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) <= {(1, 1), (2, 2)}
