"""Hangs for ever, in one of several ways: `hangs.py WAY`."""

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

first, second, third = threading.Lock(), threading.Lock(), threading.Lock()
again, once_more = threading.RLock(), threading.RLock()
changed, emptied = threading.Condition(), threading.Condition()
two, three = threading.Barrier(2), threading.Barrier(3)


class Account:
    def __init__(self) -> None:
        self.lock = threading.Lock()


def threads(*targets: Callable[[], object], daemon: bool = False) -> list[threading.Thread]:
    """Start threads that are named for what they run."""
    started = [threading.Thread(target=one, name=one.__name__, daemon=daemon) for one in targets]
    for thread in started:
        thread.start()
    return started


def join(started: list[threading.Thread]) -> None:
    for thread in started:
        thread.join()


# --- two locks in two orders


def forward() -> None:
    with first:
        two.wait()
        with second:
            pass


def backward() -> None:
    with second:
        two.wait()
        with first:
            pass


def abba() -> None:
    join(threads(forward, backward))


def abba_beside_one_that_works() -> None:
    threads(forward, backward, daemon=True)
    while True:
        time.sleep(0.01)


def abba_beside_one_that_reads() -> None:
    threads(forward, backward, daemon=True)
    sys.stdin.read()


def taker(one: threading.Lock, other: threading.Lock) -> Callable[[], None]:
    def take() -> None:
        with one:
            two.wait()
            with other:
                pass

    return take


def abba_under_other_names() -> None:
    threads(taker(first, second), taker(second, first), daemon=True)
    time.sleep(1000)


def abba_by_calls() -> None:
    def ahead() -> None:
        first.acquire()
        two.wait()
        second.acquire()
        second.release()
        first.release()

    def back() -> None:
        second.acquire()
        try:
            two.wait()
            first.acquire()
            first.release()
        finally:
            second.release()

    threads(ahead, back, daemon=True)
    time.sleep(1000)


def abba_of_objects() -> None:
    mine, yours = Account(), Account()

    def transfer(source: Account, target: Account) -> None:
        with source.lock:
            two.wait()
            with target.lock:
                pass

    threading.Thread(target=transfer, args=(mine, yours), name="give", daemon=True).start()
    threading.Thread(target=transfer, args=(yours, mine), name="take", daemon=True).start()
    time.sleep(1000)


def abba_of_rlocks() -> None:
    def ahead() -> None:
        again.acquire()
        two.wait()
        once_more.acquire()

    def back() -> None:
        once_more.acquire()
        two.wait()
        again.acquire()

    threads(ahead, back, daemon=True)
    time.sleep(1000)


def abba_of_conditions() -> None:
    def ahead() -> None:
        with changed:
            two.wait()
            with emptied:
                pass

    def back() -> None:
        with emptied:
            two.wait()
            with changed:
                pass

    threads(ahead, back, daemon=True)
    time.sleep(1000)


def abba_without_source() -> None:
    source = (
        "def ahead():\n with first:\n  two.wait()\n  second.acquire()\n"
        "def back():\n with second:\n  two.wait()\n  first.acquire()\n"
    )
    names: dict[str, Callable[[], None]] = {}
    exec(source, globals(), names)
    globals().update(names)
    join(threads(names["ahead"], names["back"]))


def circle_of_three() -> None:
    def taking(one: threading.Lock, other: threading.Lock) -> None:
        with one:
            three.wait()
            with other:
                pass

    pairs = [(first, second), (second, third), (third, first)]
    started = [
        threading.Thread(target=taking, args=pair, name=f"t{number}") for number, pair in enumerate(pairs)
    ]
    for thread in started:
        thread.start()
    time.sleep(1000)


def lock_and_join() -> None:
    def worker() -> None:
        two.wait()
        with first:
            pass

    (thread,) = threads(worker)
    with first:
        two.wait()
        thread.join()


def own_lock() -> None:
    def outer() -> None:
        with first:
            inner()

    def inner() -> None:
        with first:
            pass

    threads(outer, daemon=True)
    time.sleep(1000)


def own_lock_by_calls() -> None:
    def outer() -> None:
        first.acquire()
        inner()
        first.release()

    def inner() -> None:
        first.acquire()
        first.release()

    threads(outer, daemon=True)
    time.sleep(1000)


def abba_in_a_child() -> None:
    subprocess.run([sys.executable, __file__, "abba"], check=False)


# --- no circle, and nobody left


def queue_that_nobody_fills() -> None:
    jobs: queue.Queue[int] = queue.Queue()

    def worker() -> None:
        jobs.get()

    threads(worker)


def pool_that_waits_for_itself() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: pool.submit(int).result()).result()


def lock_whose_owner_has_ended() -> None:
    join(threads(first.acquire))
    with first:
        pass


def lock_held_while_forking() -> None:
    held = threading.Event()

    def hold() -> None:
        with first:
            held.set()
            time.sleep(1000)

    threads(hold, daemon=True)
    held.wait()
    child = os.fork()
    if child == 0:
        with first:
            pass
    os.waitpid(child, 0)


if __name__ == "__main__":
    print("started", flush=True)
    globals()[sys.argv[1]]()
