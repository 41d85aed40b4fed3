"""Transfers between two accounts, written three times: one loses money, one hangs, one is right.

A test that runs each of them a thousand times passes. `headway.explore` runs them under one schedule after another.

    python examples/transfer.py
    headway check examples/transfer.py
    headway check examples/transfer.py::check_locked
"""

import threading
from collections.abc import Callable

import headway


class Account:
    """Some money, and the lock for it."""

    def __init__(self, number: int, balance: int) -> None:
        self.number = number
        self.balance = balance
        self.lock = threading.Lock()


Transfer = Callable[[Account, Account, int], None]


def careless(source: Account, target: Account, amount: int) -> None:
    # Each account is locked while it changes; but what was read before may be out of date by then.
    funds = source.balance
    if funds >= amount:
        with source.lock:
            source.balance = funds - amount
        with target.lock:
            target.balance += amount


def locked(source: Account, target: Account, amount: int) -> None:
    # Both are locked all the time; but who transfers the other way takes the locks in the other order.
    with source.lock, target.lock:
        if source.balance >= amount:
            source.balance -= amount
            target.balance += amount


def ordered(source: Account, target: Account, amount: int) -> None:
    first, second = sorted((source, target), key=lambda account: account.number)
    with first.lock, second.lock:
        if source.balance >= amount:
            source.balance -= amount
            target.balance += amount


def there_and_back(transfer: Transfer) -> None:
    """The scenario: two transfers at once, in opposite directions."""
    one, other = Account(1, 100), Account(2, 100)
    threads = [
        threading.Thread(target=transfer, args=(one, other, 30), name="there"),
        threading.Thread(target=transfer, args=(other, one, 20), name="back"),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = one.balance + other.balance
    assert total == 200, f"{total} in all, not 200"


def check_careless() -> None:
    there_and_back(careless)


def check_locked() -> None:
    there_and_back(locked)


def check_ordered() -> None:
    there_and_back(ordered)


def main() -> None:
    for check in (check_careless, check_locked, check_ordered):
        name = check.__name__.removeprefix("check_")
        try:
            verdict = headway.explore(check)
        except headway.ScheduleFailure as failure:
            print(f"{name}: {failure.details['sentence']}")
            try:
                headway.replay(check, failure.token)
            except headway.ScheduleFailure as again:
                print(f"{name}, replayed: {again.details['sentence']}")
        else:
            print(f"{name}: {verdict}")


if __name__ == "__main__":
    main()
