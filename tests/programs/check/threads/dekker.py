"""Dekker's algorithm: two flags, and a turn that says who must step back.

The flags exclude; the turn is changed only by the one who leaves, so that the other is not kept out for ever. It needs
sequential consistency, which CPython gives to attributes and items under the GIL.
"""

import threading
import time

KIND = "ok"
LEVEL = "access"
SOURCE = "Dekker's algorithm, in Dijkstra, EWD123, 1965, §2.1"


class Gate:
    def __init__(self) -> None:
        self.wants = [False, False]
        self.turn = 0

    def enter(self, me: int) -> None:
        other = 1 - me
        self.wants[me] = True
        while self.wants[other]:
            if self.turn == me:
                time.sleep(0)
                continue
            self.wants[me] = False
            while self.turn == other:
                time.sleep(0)
            self.wants[me] = True

    def leave(self, me: int) -> None:
        self.turn = 1 - me
        self.wants[me] = False


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
