"""Waits for one thing for a known time in a thread named `waiter`: `waits.py WHAT`.

Prints as JSON how long that was by the program's own clock.
"""

import fcntl
import json
import multiprocessing
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent import futures

LONG_S = 0.15

about_to_wait = threading.Event()
measured: dict[str, float] = {}


def wait(block: Callable[[], object]) -> None:
    """Measure a call that blocks."""
    about_to_wait.set()
    start = time.monotonic_ns()
    block()
    measured["wait_s"] = (time.monotonic_ns() - start) / 1e9


def later(act: Callable[[], object]) -> None:
    """Do something when the waiter has waited for a while."""
    about_to_wait.wait()
    time.sleep(LONG_S)
    act()


def measure(block: Callable[[], object], act: Callable[[], object] | None = None) -> None:
    waiter = threading.Thread(target=wait, args=(block,), name="waiter")
    waiter.start()
    if act is not None:
        later(act)
    waiter.join()
    print(json.dumps(measured))


def sleep() -> None:
    measure(lambda: time.sleep(LONG_S))


def lock() -> None:
    it = threading.Lock()
    it.acquire()
    measure(it.acquire, it.release)


def lock_with_timeout() -> None:
    it = threading.Lock()
    it.acquire()
    measure(lambda: it.acquire(timeout=LONG_S))


def rlock() -> None:
    it = threading.RLock()
    it.acquire()
    measure(it.acquire, it.release)


def semaphore() -> None:
    it = threading.Semaphore(0)
    measure(it.acquire, it.release)


def condition() -> None:
    it = threading.Condition()

    def block() -> None:
        with it:
            it.wait()

    def act() -> None:
        with it:
            it.notify()

    measure(block, act)


def condition_with_timeout() -> None:
    it = threading.Condition()

    def block() -> None:
        with it:
            it.wait(LONG_S)

    measure(block)


def barrier() -> None:
    it = threading.Barrier(2)
    measure(it.wait, it.wait)


def event() -> None:
    it = threading.Event()
    measure(it.wait, it.set)


def queue_get() -> None:
    it: queue.Queue[int] = queue.Queue()
    measure(it.get, lambda: it.put(1))


def queue_put() -> None:
    it: queue.Queue[int] = queue.Queue(1)
    it.put(1)
    measure(lambda: it.put(2), it.get)


def simple_queue() -> None:
    it: queue.SimpleQueue[int] = queue.SimpleQueue()
    measure(it.get, lambda: it.put(1))


def join() -> None:
    other = threading.Thread(target=time.sleep, args=(LONG_S,))
    other.start()
    measure(other.join)


def future() -> None:
    it: futures.Future[int] = futures.Future()
    measure(it.result, lambda: it.set_result(1))


def futures_wait() -> None:
    it: futures.Future[int] = futures.Future()
    measure(lambda: futures.wait([it]), lambda: it.set_result(1))


def socketpair() -> None:
    ours, theirs = socket.socketpair()
    measure(lambda: ours.recv(1), lambda: theirs.send(b"x"))


def accept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.socket()
        measure(server.accept, lambda: client.connect(server.getsockname()))


def socket_with_timeout() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(9)
    measure(lambda: ours.recv(1), lambda: theirs.send(b"x"))


def pipe() -> None:
    r, w = os.pipe()
    measure(lambda: os.read(r, 1), lambda: os.write(w, b"x"))


def full_pipe() -> None:
    r, w = os.pipe()
    os.set_blocking(w, False)
    try:
        while True:
            os.write(w, bytes(65536))
    except BlockingIOError:
        os.set_blocking(w, True)
    measure(lambda: os.write(w, bytes(65536)), lambda: os.read(r, 1 << 20))


def file_object() -> None:
    r, w = os.pipe()
    measure(lambda: os.fdopen(r).readline(), lambda: os.write(w, b"x\n"))


def select_select() -> None:
    r, w = os.pipe()
    measure(lambda: select.select([r], [], []), lambda: os.write(w, b"x"))


def select_poll() -> None:
    r, w = os.pipe()
    it = select.poll()
    it.register(r)
    measure(it.poll, lambda: os.write(w, b"x"))


def select_epoll() -> None:
    r, w = os.pipe()
    it = select.epoll()
    it.register(r)
    measure(it.poll, lambda: os.write(w, b"x"))


def flock() -> None:
    with tempfile.NamedTemporaryFile() as first, open(first.name) as second:
        fcntl.flock(first, fcntl.LOCK_EX)
        measure(lambda: fcntl.flock(second, fcntl.LOCK_EX), lambda: fcntl.flock(first, fcntl.LOCK_UN))


def child() -> None:
    process = subprocess.Popen(["sleep", str(LONG_S)])
    measure(process.wait)


def waitpid() -> None:
    pid = os.posix_spawn("/bin/sleep", ["sleep", str(LONG_S)], os.environ)
    measure(lambda: os.waitpid(pid, 0))


def process_join() -> None:
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(LONG_S,))
    process.start()
    measure(process.join)


def sigwait() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    measure(lambda: signal.sigwait({signal.SIGUSR1}), lambda: os.kill(os.getpid(), signal.SIGUSR1))


globals()[sys.argv[1]]()
