"""Transfers in both directions lock the two accounts in the order of their numbers.

No cycle of locks can come about, and both balances change under both locks.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "SCTBench account_bad and deadlock01_bad, mended"


class Account:
    def __init__(self, number: int, balance: int) -> None:
        self.number = number
        self.balance = balance
        self.lock = threading.Lock()


def transfer(source: Account, target: Account, amount: int) -> None:
    first, second = sorted((source, target), key=lambda account: account.number)
    with first.lock, second.lock:
        source.balance -= amount
        target.balance += amount


def scenario() -> None:
    a, b = Account(1, 10), Account(2, 10)
    threads = [
        threading.Thread(target=transfer, args=(a, b, 1)),
        threading.Thread(target=transfer, args=(b, a, 2)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (a.balance, b.balance) == (11, 9)
