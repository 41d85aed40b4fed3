"""Dijkstra's algorithm of 1965: take the turn from one who is idle, say that one is inside, and look at all others.

Who says that it is inside and then finds another inside takes it back and begins again. Only the one whose turn it is
can say so twice, so somebody gets in.
"""

import threading
import time

KIND = "ok"
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
                self.outside[me] = True
                if self.idle[turn]:
                    self.turn = me
                else:
                    time.sleep(0)
            self.outside[me] = False
            if all(self.outside[other] for other in range(len(self.outside)) if other != me):
                return
            time.sleep(0)

    def leave(self, me: int) -> None:
        self.outside[me] = True
        self.idle[me] = True


def scenario() -> None:
    gate = Gate(2)
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
