"""One greenlet computes a result that two others wait for, before or after it is there.

An AsyncResult is set once and stays set.
"""

import gevent
import gevent.event

KIND = "ok"
LEVEL = "sync"
SOURCE = "https://www.gevent.org/api/gevent.event.html#gevent.event.AsyncResult"


def scenario() -> None:
    result: gevent.event.AsyncResult[int] = gevent.event.AsyncResult()
    doubled: list[int] = []

    def compute() -> None:
        gevent.sleep(0)
        result.set(21)

    def use() -> None:
        doubled.append(2 * result.get())

    gevent.joinall([gevent.spawn(part) for part in (use, compute, use)], raise_error=True)
    assert doubled == [42, 42]
