"""Lamport's bakery without the mark that says that a customer is choosing its number.

Customer 0 has read that the highest number is 0. Customer 1 takes number 1, sees that 0 has none, and enters.
Customer 0 takes number 1, too, and with the same number the lower name goes first: it enters.
"""

import threading
import time

KIND = "failure"
LEVEL = "access"
SOURCE = "Lamport, A new solution of Dijkstra's concurrent programming problem, CACM 1974"


class Bakery:
    def __init__(self, customers: int) -> None:
        self.numbers = [0] * customers

    def enter(self, me: int) -> None:
        highest = 0
        for customer in range(len(self.numbers)):
            highest = max(highest, self.numbers[customer])
        mine = highest + 1
        self.numbers[me] = mine
        for other in range(len(self.numbers)):
            while other != me and (theirs := self.numbers[other]) > 0 and (theirs, other) < (mine, me):
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
