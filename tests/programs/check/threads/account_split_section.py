"""A withdrawal reads the balance in one critical section and writes it in another.

`withdraw` reads 100 and lets the lock go; `deposit` runs as a whole and leaves 150; `withdraw` takes the lock again
and writes 100 - 30 = 70: the deposit is lost.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "SCTBench account_bad; https://github.com/mc-imperial/sctbench"


class Account:
    def __init__(self, balance: int) -> None:
        self.balance = balance
        self.lock = threading.Lock()

    def deposit(self, amount: int) -> None:
        with self.lock:
            self.balance += amount

    def withdraw(self, amount: int) -> None:
        with self.lock:
            balance = self.balance
        if balance >= amount:
            with self.lock:
                self.balance = balance - amount


def scenario() -> None:
    account = Account(100)
    threads = [
        threading.Thread(target=account.deposit, args=(50,)),
        threading.Thread(target=account.withdraw, args=(30,)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert account.balance == 120
