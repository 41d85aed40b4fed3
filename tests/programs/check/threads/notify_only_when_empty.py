"""A counter of free places that is raised twice, and wakes a waiter only when it was zero before.

Both waiters wait. The giver raises the count from 0 to 1 and wakes waiter 1; before that one runs, the giver raises it
from 1 to 2 and, since it was not zero, wakes nobody. Waiter 1 takes one place; the other waits for
ever beside a free one.
"""

import threading

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "SCTBench sync02_bad; https://github.com/mc-imperial/sctbench"


class Places:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.free = 0

    def give(self) -> None:
        with self.changed:
            self.free += 1
            if self.free == 1:
                self.changed.notify()

    def take(self) -> None:
        with self.changed:
            while self.free == 0:
                self.changed.wait()
            self.free -= 1


def scenario() -> None:
    places = Places()

    def giver() -> None:
        places.give()
        places.give()

    threads = [threading.Thread(target=part) for part in (places.take, places.take, giver)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert places.free == 0
