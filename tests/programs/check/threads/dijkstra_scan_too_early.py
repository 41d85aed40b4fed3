"""Dijkstra's algorithm of 1965 where a thread looks at the others before it says that it is inside.

The turn is 0's, who does not compete: thread 1 is about to take the turn. Thread 0 begins; the turn is its own; it sees
nobody inside. Thread 1 takes the turn, sees nobody inside, and enters; so does thread 0. Thread 2 only gives more
occasions for this.
"""

import threading
import time

KIND = "failure"
LEVEL = "access"
SOURCE = "Dijkstra, Solution of a problem in concurrent programming control, CACM 1965"


class Gate:
    def __init__(self, threads: int) -> None:
        self.idle = [True] * threads
        self.outside = [True] * threads
        self.turn = 0

    def enter(self, me: int) -> None:
        self.idle[me] = False
        while True:
            while (turn := self.turn) != me:
                if self.idle[turn]:
                    self.turn = me
                else:
                    time.sleep(0)
            if all(self.outside[other] for other in range(len(self.outside)) if other != me):
                self.outside[me] = False
                return
            time.sleep(0)

    def leave(self, me: int) -> None:
        self.outside[me] = True
        self.idle[me] = True


def scenario() -> None:
    gate = Gate(3)
    balance = 0

    def deposit(me: int) -> None:
        nonlocal balance
        gate.enter(me)
        balance += 1
        gate.leave(me)

    threads = [threading.Thread(target=deposit, args=(me,)) for me in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert balance == 3
