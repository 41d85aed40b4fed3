"""Each station copies the token of the one before it, and the first makes a new one from the last.

It takes for granted that the stations run in the order in which they were started. If station 2 copies before station 1
has made the new token, it copies the old one.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "SCTBench token_ring_bad; https://github.com/mc-imperial/sctbench"


class Ring:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tokens = [0, 0, 0]

    def first(self) -> None:
        with self.lock:
            self.tokens[0] = (self.tokens[2] + 1) % 4

    def second(self) -> None:
        with self.lock:
            self.tokens[1] = self.tokens[0]

    def third(self) -> None:
        with self.lock:
            self.tokens[2] = self.tokens[1]


def scenario() -> None:
    ring = Ring()
    threads = [threading.Thread(target=part) for part in (ring.first, ring.second, ring.third)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ring.tokens == [1, 1, 1]
