"""Peterson's algorithm with its first two lines exchanged: the turn is given away before the flag is raised.

Thread 0 gives the turn to 1. Thread 1 gives it to 0, raises its flag, sees that 0's is down, and enters. Thread 0
raises its flag; 1's is up, but the turn is 0's: it enters, too.
"""

import threading
import time

KIND = "failure"
LEVEL = "access"
SOURCE = "Peterson, Myths about the mutual exclusion problem, IPL 1981"


class Gate:
    def __init__(self) -> None:
        self.wants = [False, False]
        self.turn = 0

    def enter(self, me: int) -> None:
        other = 1 - me
        self.turn = other
        self.wants[me] = True
        while self.wants[other] and self.turn == other:
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
