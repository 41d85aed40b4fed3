"""A table that is built at first use, maybe twice: both are the same, and each is published when it is complete.

A second build costs time and nothing else.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "the racy single-check idiom: Bloch, Effective Java, item 83"


class Squares:
    def __init__(self) -> None:
        self._table: tuple[int, ...] | None = None

    def of(self, number: int) -> int:
        table = self._table
        if table is None:
            table = tuple(n * n for n in range(4))
            self._table = table
        return table[number]


def scenario() -> None:
    squares = Squares()
    got: list[int] = []

    def ask(number: int) -> None:
        got.append(squares.of(number))

    threads = [threading.Thread(target=ask, args=(number,)) for number in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [4, 9]
