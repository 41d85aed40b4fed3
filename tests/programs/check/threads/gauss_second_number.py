"""Random numbers are made in pairs, and the second of a pair is kept for the next call, as `random.gauss` does.

Both callers read the number that is kept; both clear it; both return the same.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "random.gauss: two threads may get the same value; https://docs.python.org/3/library/random.html#random.gauss"


class Pairs:
    def __init__(self) -> None:
        self.made = 0
        self.kept: int | None = None

    def next(self) -> int:
        number = self.kept
        self.kept = None
        if number is None:
            number = self.made
            self.kept = number + 1
            self.made = number + 2
        return number


def scenario() -> None:
    pairs = Pairs()
    numbers = [pairs.next()]

    def draw() -> None:
        numbers.append(pairs.next())

    threads = [threading.Thread(target=draw) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == [0, 1, 2]
