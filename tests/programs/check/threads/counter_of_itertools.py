"""Numbers are drawn from one `itertools.count`, whose step is one operation in C.

Each number is given once, in whatever order.
"""

import itertools
import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "Modules/itertoolsmodule.c: count_next holds the GIL; https://docs.python.org/3/library/itertools.html#itertools.count"


def scenario() -> None:
    numbers = itertools.count(1)
    drawn: dict[str, list[int]] = {"a": [], "b": []}

    def draw(name: str) -> None:
        for _ in range(2):
            drawn[name].append(next(numbers))

    threads = [threading.Thread(target=draw, args=(name,)) for name in drawn]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(drawn["a"] + drawn["b"]) == [1, 2, 3, 4]
    assert all(pair == sorted(pair) for pair in drawn.values())
