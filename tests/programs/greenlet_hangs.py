"""Hangs: `greenlet_hangs.py WHAT`. Greenlets of gevent that wait for each other, or for nobody.

A hub with nothing left to look at says so itself (LoopExit). These have an async watcher, as what waits for another
thread has, or a job in their pool of threads.
"""

import sys
from collections.abc import Callable
from typing import Any

import gevent
from gevent import monkey
from gevent.event import AsyncResult, Event
from gevent.lock import BoundedSemaphore, RLock
from gevent.queue import Queue


def keep_hub() -> None:
    gevent.get_hub().loop.async_().start(print)


def take_crosswise(make: Callable[[], Any]) -> None:
    keep_hub()
    one, two = make(), make()
    taken = [Event(), Event()]

    def ahead() -> None:
        with one:
            taken[0].set()
            taken[1].wait()
            with two:
                pass

    def back() -> None:
        with two:
            taken[1].set()
            taken[0].wait()
            one.acquire()

    gevent.joinall([gevent.spawn(ahead), gevent.spawn(back)])


def abba() -> None:
    take_crosswise(BoundedSemaphore)


def abba_of_rlocks() -> None:
    take_crosswise(RLock)


def abba_of_patched_locks() -> None:
    monkey.patch_all()
    import threading

    take_crosswise(threading.Lock)


def circle_of_joins() -> None:
    keep_hub()
    greenlets: list[Any] = []

    def wait_for(number: int) -> None:
        gevent.sleep(0)
        greenlets[number % 3].join()

    greenlets.extend(gevent.spawn(wait_for, number) for number in (1, 2, 3))
    for number, greenlet in enumerate(greenlets):
        greenlet.name = f"g{number}"
    greenlets[0].get()


def lock_and_join() -> None:
    keep_hub()
    lock = BoundedSemaphore()

    def works() -> None:
        with lock:
            pass

    with lock:
        gevent.spawn(works).join()


def after_a_child() -> None:
    from gevent import subprocess

    subprocess.run(["true"], check=True)
    lock_and_join()


def own_lock() -> None:
    keep_hub()
    lock = BoundedSemaphore()
    with lock:
        lock.acquire()


def queue_that_nobody_fills() -> None:
    keep_hub()
    queue = Queue()

    def gets() -> None:
        queue.get()

    gevent.joinall([gevent.spawn(gets) for _ in range(3)])


def event_that_nobody_sets() -> None:
    keep_hub()
    event = Event()

    def waits() -> None:
        event.wait()

    gevent.spawn(waits).join()


def job_that_waits_for_greenlets() -> None:
    native = monkey.get_original("threading", "Lock")()
    told = AsyncResult()

    def tells() -> None:
        with native:
            told.get()

    def job() -> None:
        with native:
            pass

    gevent.spawn(tells)
    gevent.sleep(0)
    gevent.get_hub().threadpool.spawn(job).get()


if __name__ == "__main__":
    print("started", flush=True)
    globals()[sys.argv[1]]()
