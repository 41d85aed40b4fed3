"""Writers set a and then b; a checker reads both, and takes for granted that it sees neither or both.

A writer sets a = 1; the checker reads a = 1 and b = 0; the writer sets b = -1.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "SCTBench reorder_3_bad; https://github.com/mc-imperial/sctbench"


class Pair:
    def __init__(self) -> None:
        self.a = 0
        self.b = 0

    def write(self) -> None:
        self.a = 1
        self.b = -1


def scenario() -> None:
    pair = Pair()
    seen: list[tuple[int, int]] = []

    def check() -> None:
        seen.append((pair.a, pair.b))

    threads = [threading.Thread(target=part) for part in (pair.write, pair.write, check)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[0] in {(0, 0), (1, -1)}
