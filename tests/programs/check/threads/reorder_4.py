"""Three writers set two globals in turn, and a checker takes for granted that it sees neither or both set.

A writer sets LOW = 1; the checker reads LOW = 1 and HIGH = 0; the writer sets HIGH = 9.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "SCTBench reorder_4_bad; https://github.com/mc-imperial/sctbench"

low = 0
high = 0


def write() -> None:
    global low, high
    low = 1
    high = 9


def scenario() -> None:
    global low, high
    low = high = 0
    seen: list[tuple[int, int]] = []

    def check() -> None:
        seen.append((low, high))

    threads = [threading.Thread(target=part) for part in (write, write, write, check)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[0] in {(0, 0), (1, 9)}
