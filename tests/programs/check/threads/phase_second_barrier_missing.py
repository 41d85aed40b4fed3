"""Two workers smooth a row: each reads its neighbour after the barrier, and then writes its own cell.

There is no barrier between the reading and the writing. Both pass the barrier; worker 0 reads 8, and writes 5 over its
2; worker 1 reads 5 where it should have read 2, and writes (8 + 5) // 2 = 6.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "SCTBench phase01_bad; https://github.com/mc-imperial/sctbench"


def scenario() -> None:
    cells = [2, 8]
    filled = threading.Barrier(2)

    def smooth(mine: int) -> None:
        filled.wait()
        neighbour = cells[1 - mine]
        cells[mine] = (cells[mine] + neighbour) // 2

    threads = [threading.Thread(target=smooth, args=(mine,)) for mine in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cells == [5, 5]
