"""Two threads that book by turns: every turn begins with a wait for a lock that the other thread gives back.

So the number of waits is the program's own, some ten thousand a second. In `locks` it is not: there it hangs on
who is first after each release, and a microsecond decides that. Each thread has a core of its own: on a core that they
share a turn takes half as long, and whether they share one is chance, too.
"""

import os
import threading

ROWS = [f"{i % 97} account-{i % 31} {i * 37 % 1009}" for i in range(400)]


def run(
    mine: threading.Lock, other: threading.Lock, balances: dict[str, int], amount: int, core: int
) -> None:
    os.sched_setaffinity(0, {core})
    for i in range(amount):
        mine.acquire()
        first = i * 36 % 364
        for row in ROWS[first : first + 36]:
            day, account, value = row.split()
            balances[account] = (balances.get(account, 0) + int(value) * (int(day) % 3 + 1)) % 1_000_000
        other.release()


def work(amount: int) -> None:
    balances: dict[str, int] = {}
    one, two = threading.Lock(), threading.Lock()
    two.acquire()
    cores = sorted(os.sched_getaffinity(0))
    threads = [
        threading.Thread(target=run, args=(one, two, balances, amount, cores[0])),
        threading.Thread(target=run, args=(two, one, balances, amount, cores[-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(balances) == 31 or amount < 10
