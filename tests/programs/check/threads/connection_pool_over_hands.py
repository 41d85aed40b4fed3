"""A pool of at most one connection checks its size under the lock, connects without it, and counts afterwards.

Both clients see that no connection is open; both connect; both are counted.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "mozilla-services/ldappool#10; https://github.com/mozilla-services/ldappool/issues/10"


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
        connection = object()
        with self.changed:
            self.open += 1
        return connection

    def release(self, connection: object) -> None:
        with self.changed:
            self.idle.append(connection)
            self.changed.notify()


def scenario() -> None:
    pool = Pool(most=1)

    def client() -> None:
        pool.release(pool.acquire())

    threads = [threading.Thread(target=client) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pool.open == 1
