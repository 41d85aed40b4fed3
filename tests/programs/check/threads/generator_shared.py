"""Two threads draw numbers from one generator.

One is inside the generator, between two steps of its body, when the other calls `next`: ValueError, generator already
executing.
"""

import threading
from collections.abc import Iterator

KIND = "failure"
LEVEL = "access"
SOURCE = "ours; generators are not for two threads at once: Objects/genobject.c"


class Issued:
    def __init__(self) -> None:
        self.last = 0


def serial_numbers(issued: Issued) -> Iterator[int]:
    while True:
        issued.last += 1
        yield issued.last


def scenario() -> None:
    numbers = serial_numbers(Issued())
    drawn: list[int] = []

    def draw() -> None:
        drawn.append(next(numbers))

    threads = [threading.Thread(target=draw) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(drawn) == [1, 2]
