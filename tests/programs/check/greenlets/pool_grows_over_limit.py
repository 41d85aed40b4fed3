"""A pool of one connection sees that it has none, connects, which switches, and counts it.

Both greenlets see none; both connect; two are open.
"""

import gevent

KIND = "failure"
LEVEL = "sync"
SOURCE = "ours; the pool of a monkey-patched client"


class Pool:
    def __init__(self) -> None:
        self.connections: list[str] = []

    def connect(self) -> str:
        gevent.sleep(0)
        return "connection"

    def get(self) -> str:
        if not self.connections:
            self.connections.append(self.connect())
        return self.connections[0]


def scenario() -> None:
    pool = Pool()
    gevent.joinall([gevent.spawn(pool.get) for _ in range(2)], raise_error=True)
    assert len(pool.connections) == 1
