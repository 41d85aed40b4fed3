"""Greenlets read a counter, switch and write, all under one semaphore.

Whoever comes first, the others wait.
"""

import gevent
import gevent.lock

KIND = "ok"
LEVEL = "sync"
SOURCE = "counter_over_switch, mended"


class Counter:
    def __init__(self) -> None:
        self.lock = gevent.lock.BoundedSemaphore(1)
        self.value = 0

    def add(self) -> None:
        with self.lock:
            value = self.value
            gevent.sleep(0)
            self.value = value + 1


def scenario() -> None:
    counter = Counter()
    gevent.joinall([gevent.spawn(counter.add) for _ in range(3)], raise_error=True)
    assert counter.value == 3
