"""Two threads that parse outside one lock and book inside it, a few microseconds each.

Two and not more, and each on a core of its own: plain Python's own run times differ by a factor of two or three where
whether the threads share a core, and whether they fall into a convoy, is chance. In `convoy` every pass waits for the
lock.
"""

import os
import threading

LINES = [f"{i % 97} account-{i % 31} {i * 37 % 1009}" for i in range(1000)]


class Ledger:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.balances: dict[str, int] = {}
        self.entries = 0

    def book(self, line: str) -> None:
        day, account, value = line.split()
        key, amount = account.upper(), int(value) * (int(day) % 3 + 1)
        with self.lock:
            balance = self.balances.get(key, 0)
            self.balances[key] = balance + amount if balance < 1_000_000 else amount
            self.entries += 1
            assert sum(range(balance % 60)) >= 0


def run(ledger: Ledger, amount: int, core: int) -> None:
    os.sched_setaffinity(0, {core})
    for _ in range(amount):
        for line in LINES:
            ledger.book(line)


def work(amount: int) -> None:
    ledger = Ledger()
    cores = sorted(os.sched_getaffinity(0))
    threads = [threading.Thread(target=run, args=(ledger, amount, core)) for core in (cores[0], cores[-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.entries == 2 * amount * len(LINES)
