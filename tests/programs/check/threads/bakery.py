"""Lamport's bakery: a customer says that it chooses a number, takes one above all others, and waits for its turn.

Who looks at another's number waits until that one has chosen, so no number appears behind its back; equal numbers are
ordered by name.
"""

import threading
import time

KIND = "ok"
LEVEL = "access"
SOURCE = "Lamport, A new solution of Dijkstra's concurrent programming problem, CACM 1974"


class Bakery:
    def __init__(self, customers: int) -> None:
        self.choosing = [False] * customers
        self.numbers = [0] * customers

    def enter(self, me: int) -> None:
        self.choosing[me] = True
        highest = 0
        for customer in range(len(self.numbers)):
            highest = max(highest, self.numbers[customer])
        mine = highest + 1
        self.numbers[me] = mine
        self.choosing[me] = False
        for other in range(len(self.numbers)):
            if other == me:
                continue
            while self.choosing[other]:
                time.sleep(0)
            while (theirs := self.numbers[other]) > 0 and (theirs, other) < (mine, me):
                time.sleep(0)

    def leave(self, me: int) -> None:
        self.numbers[me] = 0


def scenario() -> None:
    bakery = Bakery(2)
    sold = 0

    def buy(me: int) -> None:
        nonlocal sold
        bakery.enter(me)
        sold += 1
        bakery.leave(me)

    threads = [threading.Thread(target=buy, args=(me,)) for me in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sold == 2
