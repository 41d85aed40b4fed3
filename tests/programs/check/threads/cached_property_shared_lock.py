"""A cached property with one lock for all instances, as functools had it up to 3.11.

Thread A holds the database's lock and reads `a.total`, for which it waits for the property's lock. Thread B computes
`b.total`, so it holds the property's lock, and waits for the database's.
"""

import threading

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "bpo-43468, python/cpython#87634; https://github.com/python/cpython/issues/87634"


class Cached:
    """A computed attribute; the lock is the property's, and so common to all instances."""

    def __init__(self) -> None:
        self.lock = threading.RLock()

    def __get__(self, instance: "Account", owner: type) -> int:
        with self.lock:
            if instance.known is None:
                instance.known = instance.sum_up()
            return instance.known


class Account:
    total = Cached()

    def __init__(self, rows: list[int], database: "threading.Lock | None" = None) -> None:
        self.rows = rows
        self.known: int | None = None
        self.database = database

    def sum_up(self) -> int:
        if self.database is None:
            return sum(self.rows)
        with self.database:
            return sum(self.rows)


def scenario() -> None:
    vars(Account)[
        "total"
    ].lock = threading.RLock()  # a lock of this run, and not one that an earlier one left
    database = threading.Lock()
    cash, bank = Account([1, 2]), Account([3, 4], database)
    totals: list[int] = []

    def close_day() -> None:
        with database:
            totals.append(cash.total)

    def show() -> None:
        totals.append(bank.total)

    threads = [threading.Thread(target=part) for part in (close_day, show)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(totals) == [3, 7]
