"""Peterson's algorithm: raise one's flag, give the turn away, and wait while the other wants and has the turn.

The last to give the turn away waits, and so never are both inside. It needs sequential consistency, which CPython gives
under the GIL.
"""

import threading
import time

KIND = "ok"
LEVEL = "access"
SOURCE = "Peterson, Myths about the mutual exclusion problem, IPL 1981"


class Gate:
    def __init__(self) -> None:
        self.wants = [False, False]
        self.turn = 0

    def enter(self, me: int) -> None:
        other = 1 - me
        self.wants[me] = True
        self.turn = other
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
