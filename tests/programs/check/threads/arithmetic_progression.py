"""Two workers add up 1 + 2 + 3 + 4; each takes its next term in one critical section and adds it in another.

The term is read under the lock, and moved on under the lock, but not in one go: both workers read term 1, both add it,
and the sum is wrong.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "SCTBench arithmetic_prog_bad; https://github.com/mc-imperial/sctbench"


class Progression:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.term = 1
        self.total = 0

    def add_two_terms(self) -> None:
        for _ in range(2):
            with self.lock:
                term = self.term
            with self.lock:
                self.total += term
                self.term = term + 1


def scenario() -> None:
    progression = Progression()
    threads = [threading.Thread(target=progression.add_two_terms) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert progression.total == 10
