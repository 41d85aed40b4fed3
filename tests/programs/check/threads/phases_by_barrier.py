"""Two workers smooth a row in two phases, with a barrier before and after the reading.

Nobody writes before both have read. The barrier of the standard library can be used again and again.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "SCTBench phase01_bad, mended"


def scenario() -> None:
    cells = [2, 10]
    meeting = threading.Barrier(2)

    def smooth(mine: int) -> None:
        for _ in range(2):
            meeting.wait()
            mean = (cells[0] + cells[1]) // 2
            meeting.wait()
            cells[mine] = mean + mine

    threads = [threading.Thread(target=smooth, args=(mine,)) for mine in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cells == [6, 7]
