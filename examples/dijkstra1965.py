"""Dijkstra's mutual exclusion of N threads, with nothing but reads and writes of shared variables.

E. W. Dijkstra, "Solution of a problem in concurrent programming control", Communications of the ACM 8(9),
September 1965, p. 569: the first solution for N computers. The names `b`, `c`, `k` and the labels Li0 to Li4
are the paper's; what differs is that a thread whose turn it is not lets others run (`time.sleep(0)`) instead
of only looking again. It needs memory in which writes are seen in the order in which they were made:
CPython's GIL gives that.

No lock, no queue, no event: a tracer of locks sees nothing here, only threads that run and wait for the GIL.

    python examples/dijkstra1965.py [THREADS [ROUNDS]]
    headway trace examples/dijkstra1965.py [THREADS [ROUNDS]]
"""

import sys
import threading
import time


class Exclusion:
    """Lets one of N threads at a time into the critical section."""

    def __init__(self, count: int) -> None:
        self.b = [True] * count  # False: wants to enter
        self.c = [True] * count  # False: is entering, or inside
        self.k = 0  # whose turn it is

    def enter(self, i: int) -> None:
        self.b[i] = False  # Li0
        while not self._turn(i):  # Li1
            time.sleep(0)

    def _turn(self, i: int) -> bool:
        if self.k != i:
            self.c[i] = True  # Li2
            if self.b[self.k]:  # Li3
                self.k = i
            return False
        self.c[i] = False  # Li4
        return all(self.c[j] for j in range(len(self.c)) if j != i)

    def leave(self, i: int) -> None:
        self.c[i] = True
        self.b[i] = True


class Account:
    """What the critical section protects: adding to it is a read, a pause and a write."""

    def __init__(self) -> None:
        self.sum = 0
        self.inside = 0

    def add_one(self) -> None:
        self.inside += 1
        assert self.inside == 1, f"{self.inside} threads in the critical section"
        seen = self.sum
        time.sleep(0)
        self.sum = seen + 1
        assert self.inside == 1, f"{self.inside} threads in the critical section"
        self.inside -= 1


def main(count: int, rounds: int) -> None:
    """Let every thread into the critical section `rounds` times."""
    exclusion, account = Exclusion(count), Account()
    finished: list[int] = []

    def computer(i: int) -> None:
        for _ in range(rounds):
            exclusion.enter(i)
            try:
                account.add_one()
            finally:
                exclusion.leave(i)
        finished.append(i)

    threads = [threading.Thread(target=computer, args=(i,), name=f"computer-{i}") for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(finished) == list(range(count)), f"only {sorted(finished)} finished"
    assert account.sum == count * rounds, f"{account.sum} of {count * rounds}: an update was lost"
    print(f"{count} threads, {account.sum} times in the critical section, never two at once")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(*(arguments + [8, 1000][len(arguments) :]))
