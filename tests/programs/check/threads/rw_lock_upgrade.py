"""Two readers want to become writers, and a writer waits until it is the only reader.

Both read; both ask to write; each waits until the other has stopped reading.
"""

import threading

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "upgrading is not possible with Java's ReentrantReadWriteLock, for this reason (its documentation)"


class ReadWriteLock:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.readers = 0

    def start_reading(self) -> None:
        with self.changed:
            self.readers += 1

    def upgrade(self) -> None:
        with self.changed:
            while self.readers > 1:
                self.changed.wait()

    def stop(self) -> None:
        with self.changed:
            self.readers -= 1
            self.changed.notify_all()


def scenario() -> None:
    lock = ReadWriteLock()
    names: set[str] = set()

    def intern(name: str) -> None:
        lock.start_reading()
        if name not in names:
            lock.upgrade()
            names.add(name)
        lock.stop()

    threads = [threading.Thread(target=intern, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == {"a", "b"}
