"""Four threads and one lock that is held over a short sleep, as over input or output: every pass waits."""

import threading
import time

ROWS = [f"{i % 97} account-{i % 31} {i * 37 % 1009}" for i in range(100)]


def run(lock: threading.Lock, balances: dict[str, int], amount: int) -> None:
    for i in range(amount):
        rows = [row.split() for row in ROWS[i % 90 : i % 90 + 10]]
        with lock:
            for _, account, value in rows:
                balances[account] = balances.get(account, 0) + int(value)
            time.sleep(0.00002)


def work(amount: int) -> None:
    lock = threading.Lock()
    balances: dict[str, int] = {}
    threads = [threading.Thread(target=run, args=(lock, balances, amount)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(balances) == 31 or amount < 100
