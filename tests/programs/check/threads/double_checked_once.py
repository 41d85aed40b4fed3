"""A singleton is looked for without the lock, and made with it, without looking again.

Both threads find none; both wait for the lock in turn; both make one.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "Schmidt, Harrison, Double-Checked Locking, PLoP 1996: the check that is left out here"


class Connection:
    pass


class Holder:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: Connection | None = None
        self.made = 0

    def get(self) -> Connection:
        if self.connection is None:
            with self.lock:
                self.made += 1
                self.connection = Connection()
        return self.connection


def scenario() -> None:
    holder = Holder()
    threads = [threading.Thread(target=holder.get) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert holder.made == 1
