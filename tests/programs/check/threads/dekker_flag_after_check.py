"""Dekker's problem solved in the obvious, wrong order: look at the other's flag first, then raise one's own.

Both look before any has raised its flag, and both are inside. One reads the balance, both read the same, and one
deposit is lost.
"""

import threading
import time

KIND = "failure"
LEVEL = "access"
SOURCE = "Dijkstra, EWD123, 1965, §2.1: the second attempt"


class Gate:
    def __init__(self) -> None:
        self.inside = [False, False]

    def enter(self, me: int) -> None:
        while self.inside[1 - me]:
            time.sleep(0)
        self.inside[me] = True

    def leave(self, me: int) -> None:
        self.inside[me] = False


def scenario() -> None:
    gate = Gate()
    balance = 0

    def deposit(me: int) -> None:
        nonlocal balance
        gate.enter(me)
        balance += 1
        gate.leave(me)

    threads = [threading.Thread(target=deposit, args=(me,)) for me in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert balance == 2
