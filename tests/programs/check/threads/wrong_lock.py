"""Two methods guard the same field, each with its own lock.

`earn` reads 0 under the first lock; `spend` reads 0 under the second, writes -5;
`earn` writes 10: the spending is lost.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "SCTBench wronglock_bad; https://github.com/mc-imperial/sctbench"


class Purse:
    def __init__(self) -> None:
        self.coins = 0
        self.in_lock = threading.Lock()
        self.out_lock = threading.Lock()

    def earn(self, amount: int) -> None:
        with self.in_lock:
            self.coins += amount

    def spend(self, amount: int) -> None:
        with self.out_lock:
            self.coins -= amount


def scenario() -> None:
    purse = Purse()
    threads = [
        threading.Thread(target=purse.earn, args=(10,)),
        threading.Thread(target=purse.spend, args=(5,)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert purse.coins == 5
