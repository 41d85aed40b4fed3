"""A greenlet is killed while it holds a semaphore, which it gives back by hand and not by `with`.

It is killed at its sleep: the semaphore is never released, and the next one waits for ever. If it has not begun, or has
ended, all is well.
"""

import gevent
import gevent.lock

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "Greenlet.kill raises GreenletExit where the greenlet waits; https://www.gevent.org/api/gevent.greenlet.html"


def scenario() -> None:
    printer = gevent.lock.BoundedSemaphore(1)
    printed: list[str] = []

    def print_page(page: str) -> None:
        printer.acquire()
        gevent.sleep(0)
        printed.append(page)
        printer.release()

    impatient = gevent.spawn(print_page, "draft")
    killer = gevent.spawn(impatient.kill)
    gevent.joinall([impatient, killer])
    gevent.spawn(print_page, "letter").join()
    assert "letter" in printed
