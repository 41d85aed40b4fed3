"""Each thread adds up in a thread-local and reports at its end, under a lock.

The locals have the same name and are not the same variable.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "https://docs.python.org/3/library/threading.html#thread-local-data"


def scenario() -> None:
    mine = threading.local()
    lock = threading.Lock()
    total = 0

    def add_up(numbers: tuple[int, ...]) -> None:
        nonlocal total
        mine.total = 0
        for number in numbers:
            mine.total += number
        with lock:
            total += mine.total

    threads = [threading.Thread(target=add_up, args=(numbers,)) for numbers in ((1, 2), (3, 4))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total == 10
