"""Two greenlets read a counter, switch, and write.

Both read 0 and both write 1.
"""

import gevent

KIND = "failure"
LEVEL = "sync"
SOURCE = "ours; a greenlet is switched where it waits, and gevent.sleep waits"


class Counter:
    def __init__(self) -> None:
        self.value = 0

    def add(self) -> None:
        value = self.value
        gevent.sleep(0)
        self.value = value + 1


def scenario() -> None:
    counter = Counter()
    gevent.joinall([gevent.spawn(counter.add) for _ in range(2)], raise_error=True)
    assert counter.value == 2
