"""Two stages with a queue of one between them, ended by a sentinel.

The order of the items is kept, whoever is switched to.
"""

import gevent
import gevent.queue

KIND = "ok"
LEVEL = "sync"
SOURCE = "https://www.gevent.org/api/gevent.queue.html"


def scenario() -> None:
    numbers: gevent.queue.Queue[int | None] = gevent.queue.Queue(maxsize=1)
    squares: list[int] = []

    def produce() -> None:
        for number in (1, 2, 3):
            numbers.put(number)
        numbers.put(None)

    def consume() -> None:
        while (number := numbers.get()) is not None:
            gevent.sleep(0)
            squares.append(number * number)

    gevent.joinall([gevent.spawn(produce), gevent.spawn(consume)], raise_error=True)
    assert squares == [1, 4, 9]
