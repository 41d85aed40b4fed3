"""Two greenlets take two semaphores in opposite order, with a switch between.

Each has its first and waits for the other's; nothing is left to run.
"""

import gevent
import gevent.lock

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "Coffman, Elphick, Shoshani, System Deadlocks, Computing Surveys, 1971"


def scenario() -> None:
    ledger, journal = gevent.lock.BoundedSemaphore(1), gevent.lock.BoundedSemaphore(1)
    written: list[str] = []

    def write(name: str, first: gevent.lock.BoundedSemaphore, second: gevent.lock.BoundedSemaphore) -> None:
        with first:
            gevent.sleep(0)
            with second:
                written.append(name)

    writers = [gevent.spawn(write, "ann", ledger, journal), gevent.spawn(write, "bob", journal, ledger)]
    gevent.joinall(writers, raise_error=True)
    assert sorted(written) == ["ann", "bob"]
