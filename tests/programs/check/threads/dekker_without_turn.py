"""Dekker's algorithm without its turn: each raises its flag, and then waits until the other's is down.

Both raise their flags before any looks. Each then waits for the other, politely and for ever: nobody is blocked, and
nobody can go on.
"""

import threading
import time

KIND = "livelock"
LEVEL = "access"
SOURCE = "Dijkstra, EWD123, 1965, §2.1: the third attempt"


class Gate:
    def __init__(self) -> None:
        self.wants = [False, False]

    def enter(self, me: int) -> None:
        self.wants[me] = True
        while self.wants[1 - me]:
            time.sleep(0)

    def leave(self, me: int) -> None:
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
