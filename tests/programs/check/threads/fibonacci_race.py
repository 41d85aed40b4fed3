"""Two threads add each other's number to their own, twice each, and someone believed that 8 is out of reach.

It is reached only if they take turns exactly: i = 1 + 1 = 2, j = 1 + 2 = 3, i = 2 + 3 = 5, j = 3 + 5 = 8, or the same
with j first.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "SV-COMP pthread/fib_bench; https://gitlab.com/sosy-lab/benchmarking/sv-benchmarks"


class Pair:
    def __init__(self) -> None:
        self.i = 1
        self.j = 1

    def raise_i(self) -> None:
        for _ in range(2):
            self.i += self.j

    def raise_j(self) -> None:
        for _ in range(2):
            self.j += self.i


def scenario() -> None:
    pair = Pair()
    threads = [threading.Thread(target=part) for part in (pair.raise_i, pair.raise_j)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(pair.i, pair.j) < 8
