"""Two transfers in opposite directions lock the two accounts in opposite order.

The first transfer locks a, the second locks b, the first waits for b, and the second waits for a.
"""

import threading

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "SCTBench deadlock01_bad; https://github.com/mc-imperial/sctbench"


class Account:
    def __init__(self, balance: int) -> None:
        self.balance = balance
        self.lock = threading.Lock()


def transfer(source: Account, target: Account, amount: int) -> None:
    with source.lock, target.lock:
        source.balance -= amount
        target.balance += amount


def scenario() -> None:
    a, b = Account(10), Account(10)
    threads = [
        threading.Thread(target=transfer, args=(a, b, 1)),
        threading.Thread(target=transfer, args=(b, a, 2)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (a.balance, b.balance) == (11, 9)
