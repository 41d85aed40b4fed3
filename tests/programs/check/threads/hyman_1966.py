"""Hyman's simplification of Dijkstra's algorithm, published in 1966 and wrong.

The turn is 0's. Thread 1 raises its flag, finds 0's down, and is about to take the turn. Thread 0 raises its flag, has
the turn, and enters. Thread 1 takes the turn and enters, too.
"""

import threading
import time

KIND = "failure"
LEVEL = "access"
SOURCE = (
    "Hyman, Comments on a problem in concurrent programming control, CACM 1966; refuted by Knuth, CACM 1966"
)


class Gate:
    def __init__(self) -> None:
        self.wants = [False, False]
        self.turn = 0

    def enter(self, me: int) -> None:
        other = 1 - me
        self.wants[me] = True
        while self.turn != me:
            while self.wants[other]:
                time.sleep(0)
            self.turn = me

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
