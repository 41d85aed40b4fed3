"""A pool of at most one connection that counts it under the lock before it connects.

Who finds neither an idle connection nor room waits, and each release wakes one.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "mozilla-services/ldappool#10, mended; https://github.com/mozilla-services/ldappool/issues/10"


class Pool:
    def __init__(self, most: int) -> None:
        self.most = most
        self.changed = threading.Condition()
        self.idle: list[object] = []
        self.open = 0

    def acquire(self) -> object:
        with self.changed:
            while not self.idle and self.open >= self.most:
                self.changed.wait()
            if self.idle:
                return self.idle.pop()
            self.open += 1
        return object()

    def release(self, connection: object) -> None:
        with self.changed:
            self.idle.append(connection)
            self.changed.notify()


def scenario() -> None:
    pool = Pool(most=1)

    def client() -> None:
        pool.release(pool.acquire())

    threads = [threading.Thread(target=client) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pool.open == len(pool.idle) == 1
