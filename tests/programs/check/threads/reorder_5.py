"""Four writers keep two entries of a table in step, one entry after the other, and a checker reads both.

A writer sets `table["even"]`; the checker finds it set and `table["odd"]` not; the writer sets that, too.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "SCTBench reorder_5_bad; https://github.com/mc-imperial/sctbench"


def scenario() -> None:
    table = {"even": 0, "odd": -1}
    steps: list[int] = []

    def write() -> None:
        table["even"] = 2
        table["odd"] = 1

    def check() -> None:
        even = table["even"]
        odd = table["odd"]
        steps.append(even - odd)

    threads = [threading.Thread(target=write) for _ in range(4)]
    threads.append(threading.Thread(target=check))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert steps == [1]
