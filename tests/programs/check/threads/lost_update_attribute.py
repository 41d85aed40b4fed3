"""Two threads add one to an attribute.

Both read 0 and both write 1.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "the lost update of every textbook; Bernstein, Hadzilacos, Goodman, 1987, §1.2"


class Counter:
    def __init__(self) -> None:
        self.value = 0

    def add(self) -> None:
        self.value += 1


def scenario() -> None:
    counter = Counter()
    threads = [threading.Thread(target=counter.add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.value == 2
