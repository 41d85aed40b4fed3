"""Each call makes its own lock, which keeps nobody out.

Both threads hold a lock, each its own; both read 0 and write 1.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "ours; a common mistake of beginners, as `with threading.Lock():`"


class Counter:
    def __init__(self) -> None:
        self.value = 0

    def add(self) -> None:
        lock = threading.Lock()
        with lock:
            self.value += 1


def scenario() -> None:
    counter = Counter()
    threads = [threading.Thread(target=counter.add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.value == 2
