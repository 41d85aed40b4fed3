"""Greenlets that only seem to hang: `greenlet_lookalikes.py WHAT SECONDS`. After so long they go on, and it ends."""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import gevent
import gevent.os
from gevent import monkey, socket, subprocess
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from gevent.server import StreamServer

LONG_S = float(sys.argv[2])


def taken() -> Any:
    lock = BoundedSemaphore()
    lock.acquire()
    return lock


def in_thread(act: Callable[[], object]) -> None:
    """In a thread of the system, after a while."""

    def run() -> None:
        monkey.get_original("time", "sleep")(LONG_S)
        act()

    monkey.get_original("_thread", "start_new_thread")(run, ())


def circle_with_a_time_limit() -> None:
    one, two = BoundedSemaphore(), BoundedSemaphore()

    def ahead() -> None:
        with one:
            gevent.sleep(0)
            with two:
                pass

    def back() -> None:
        with two:
            gevent.sleep(0)
            with gevent.Timeout(LONG_S, False):
                one.acquire()

    gevent.joinall([gevent.spawn(ahead), gevent.spawn(back)])


def circle_with_a_limited_take() -> None:
    one, two = BoundedSemaphore(), BoundedSemaphore()

    def ahead() -> None:
        with one:
            gevent.sleep(0)
            with two:
                pass

    def back() -> None:
        with two:
            gevent.sleep(0)
            one.acquire(timeout=LONG_S)

    gevent.joinall([gevent.spawn(ahead), gevent.spawn(back)])


def circle_that_a_greenlet_ends() -> None:
    greenlets: list[Any] = []

    def wait_for(number: int) -> None:
        gevent.sleep(0)
        greenlets[number].join()

    greenlets.extend(gevent.spawn(wait_for, number) for number in (1, 0))
    gevent.spawn_later(LONG_S, greenlets[0].kill)
    gevent.joinall(greenlets)


def lock_that_a_timer_releases() -> None:
    lock = taken()
    gevent.get_hub().loop.timer(LONG_S).start(lock.release)
    with lock:
        pass


def lock_that_a_thread_releases() -> None:
    lock = taken()
    watcher = gevent.get_hub().loop.async_()
    watcher.start(lock.release)
    in_thread(watcher.send)
    with lock:
        pass


def lock_that_a_job_releases() -> None:
    lock = taken()
    gevent.get_hub().threadpool.spawn(time.sleep, LONG_S).rawlink(lambda _: lock.release())
    with lock:
        pass


def lock_that_a_signal_releases() -> None:
    lock = taken()
    gevent.signal_handler(signal.SIGUSR1, lock.release)
    gevent.get_hub().loop.async_().start(print)
    with subprocess.Popen(["/bin/sh", "-c", f"sleep {LONG_S}; kill -USR1 {os.getpid()}"]), lock:
        pass


def lock_of_two_hubs() -> None:
    """One hub stands still; the other one works, and will let it go on."""
    lock = BoundedSemaphore()

    def holds() -> None:
        with lock:
            held.set()
            gevent.sleep(LONG_S)

    held = Event()
    job = gevent.get_hub().threadpool.spawn(holds)
    held.wait()
    with lock:
        pass
    job.get()


def lock_whose_holder_reads() -> None:
    here, there = socket.socketpair()
    lock = BoundedSemaphore()

    def reads() -> None:
        with lock:
            here.recv(1)

    def waits() -> None:
        with lock:
            pass

    code = f"import os, time; time.sleep({LONG_S}); os.write({there.fileno()}, b'x')"
    with subprocess.Popen([sys.executable, "-c", code], pass_fds=[there.fileno()]):
        gevent.joinall([gevent.spawn(reads), gevent.spawn(waits)])


def lock_whose_holder_waits_for_a_process() -> None:
    lock = BoundedSemaphore()

    def runs() -> None:
        with lock:
            subprocess.Popen(["sleep", str(LONG_S)]).wait()

    def waits() -> None:
        with lock:
            pass

    gevent.joinall([gevent.spawn(runs), gevent.spawn(waits)])


def pool_without_jobs_in_a_child() -> None:
    """In a forked child, the pool of a hub keeps its threads without a time limit."""
    gevent.get_hub().threadpool.spawn(int).get()
    child = gevent.os.fork()
    if child == 0:
        gevent.get_hub().threadpool.spawn(int).get()
        gevent.sleep(LONG_S)
        os._exit(0)
    os.waitpid(child, 0)


def server_without_clients() -> None:
    came = Event()

    def answer(connection: Any, address: Any) -> None:
        came.set()

    server = StreamServer(("127.0.0.1", 0), answer)
    server.start()
    code = f"import time, socket; time.sleep({LONG_S}); socket.create_connection({server.address})"
    with subprocess.Popen([sys.executable, "-c", code]):
        came.wait()
    server.stop()


print("started", flush=True)
globals()[sys.argv[1]]()
print("done")
