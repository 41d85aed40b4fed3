"""Workers call task_done for each item, whatever becomes of it, and `join` waits for that.

When `join` returns, all results are there; then the workers are sent home.
"""

import queue
import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "https://docs.python.org/3/library/queue.html#queue.Queue.join"


def scenario() -> None:
    numbers: queue.Queue[int | None] = queue.Queue()
    roots: list[int] = []

    def work() -> None:
        while (number := numbers.get()) is not None:
            try:
                roots.append({4: 2, 9: 3}[number])
            except KeyError:
                pass
            finally:
                numbers.task_done()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in (4, 5, 9):
        numbers.put(number)
    numbers.join()
    assert sorted(roots) == [2, 3]
    for _ in threads:
        numbers.put(None)
    for thread in threads:
        thread.join()
