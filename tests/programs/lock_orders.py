"""Threads that take two locks in opposite orders, one after the other: `lock_orders.py [WAY…]`. Nothing hangs.

What begins with `no_` is no danger, each for another reason. Prints what was found in each.
"""

import json
import multiprocessing
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import headway

PAUSE_S = 0.05
taken: list[object] = []


def nest(outer: Any, inner: Any) -> None:
    with outer:
        taken.append(outer)
        with inner:
            taken.append(inner)


def start(target: Callable[..., object], *args: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=args)
    thread.start()
    return thread


def one_after_the_other(
    first: Callable[..., object], one: Any, other: Any, second: Callable[..., object] | None = None
) -> None:
    """Two threads, both of which could have been first: only the clock has them take turns."""
    threads = [start(first, one, other)]
    time.sleep(PAUSE_S)
    threads.append(start(second or first, other, one))
    for thread in threads:
        thread.join()


# --- dangers


def locks() -> None:
    one_after_the_other(nest, threading.Lock(), threading.Lock())


def rlocks() -> None:
    one_after_the_other(nest, threading.RLock(), threading.RLock())


def conditions() -> None:
    one_after_the_other(nest, threading.Condition(), threading.Condition())


def locks_of_multiprocessing() -> None:
    one_after_the_other(nest, multiprocessing.Lock(), multiprocessing.Lock())


def calls() -> None:
    def take(outer: Any, inner: Any) -> None:
        outer.acquire()
        inner.acquire()
        inner.release()
        outer.release()

    one_after_the_other(take, threading.Lock(), threading.Lock())


def not_next_to_each_other() -> None:
    def take(outer: Any, inner: Any) -> None:
        with outer:
            nest(threading.Lock(), inner)

    one_after_the_other(take, threading.Lock(), threading.Lock())


def at_first_in_turn_and_then_not() -> None:
    """Only the clock has them go on by turns after the first time."""
    one, other, done = threading.Lock(), threading.Lock(), threading.Event()

    def play(outer: Any, inner: Any, told: Callable[[], object]) -> None:
        told()
        nest(outer, inner)
        done.set()
        time.sleep(2 * PAUSE_S)
        nest(outer, inner)

    threads = [start(play, one, other, bool)]
    time.sleep(PAUSE_S)
    threads.append(start(play, other, one, done.wait))
    for thread in threads:
        thread.join()


def threads_that_meet_before() -> None:
    both, one, other = threading.Barrier(2), threading.Lock(), threading.Lock()

    def soon() -> None:
        both.wait()
        time.sleep(PAUSE_S)
        nest(one, other)

    def late() -> None:
        both.wait()
        time.sleep(3 * PAUSE_S)
        nest(other, one)

    for thread in [start(soon), start(late)]:
        thread.join()


def first_with_a_guard_and_then_without() -> None:
    guard, one, other = threading.Lock(), threading.Lock(), threading.Lock()

    def first(outer: Any, inner: Any) -> None:
        with guard:
            nest(outer, inner)
        nest(outer, inner)

    one_after_the_other(first, one, other)


# --- look-alikes


def no_same_order() -> None:
    one, other = threading.Lock(), threading.Lock()
    one_after_the_other(nest, one, other, lambda _, __: nest(one, other))


def no_same_thread() -> None:
    one, other = threading.Lock(), threading.Lock()
    nest(one, other)
    nest(other, one)


def no_guarded() -> None:
    guard = threading.Lock()

    def guarded(outer: Any, inner: Any) -> None:
        with guard:
            nest(outer, inner)

    one_after_the_other(guarded, threading.Lock(), threading.Lock())


def no_try() -> None:
    def take(outer: Any, inner: Any) -> None:
        with outer:
            if inner.acquire(blocking=False):
                inner.release()

    one_after_the_other(nest, threading.Lock(), threading.Lock(), take)


def no_time_limit() -> None:
    def take(outer: Any, inner: Any) -> None:
        with outer:
            if inner.acquire(timeout=1):
                inner.release()

    one_after_the_other(nest, threading.Lock(), threading.Lock(), take)


def no_time_limit_of_multiprocessing() -> None:
    def take(outer: Any, inner: Any) -> None:
        with outer:
            if inner.acquire(True, 1):
                inner.release()

    one_after_the_other(nest, multiprocessing.Lock(), multiprocessing.Lock(), take)


def no_entered_again() -> None:
    def take(outer: Any, inner: Any) -> None:
        with outer, inner, outer:
            pass

    one, other = threading.RLock(), threading.RLock()
    one_after_the_other(take, one, other, lambda _, __: take(one, other))


def no_joined() -> None:
    one, other = threading.Lock(), threading.Lock()
    start(nest, one, other).join()
    start(nest, other, one).join()


def no_made_afterwards() -> None:
    one, other = threading.Lock(), threading.Lock()
    nest(one, other)
    start(nest, other, one).join()


def ordered_by(tell: Callable[[], object], hear: Callable[[], object]) -> None:
    """The second is told of the first, long after that: it need not wait."""
    one, other = threading.Lock(), threading.Lock()

    def first() -> None:
        nest(one, other)
        tell()

    def second() -> None:
        time.sleep(3 * PAUSE_S)
        hear()
        nest(other, one)

    for thread in [start(second), start(first)]:
        thread.join()


def no_event() -> None:
    done = threading.Event()
    ordered_by(done.set, done.wait)


def no_queue() -> None:
    items: queue.Queue[None] = queue.Queue()
    ordered_by(lambda: items.put(None), items.get)


def no_semaphore() -> None:
    done = threading.Semaphore(0)
    ordered_by(done.release, done.acquire)


def no_condition() -> None:
    changed, told = threading.Condition(), []

    def tell() -> None:
        with changed:
            told.append(True)
            changed.notify()

    def hear() -> None:
        with changed:
            changed.wait_for(lambda: told)

    ordered_by(tell, hear)


def no_pipe() -> None:
    reader, writer = os.pipe()
    ordered_by(lambda: os.write(writer, b"x"), lambda: os.read(reader, 1))


def no_flag_under_a_lock() -> None:
    guard, done = threading.Lock(), []

    def tell() -> None:
        with guard:
            done.append(True)

    def hear() -> None:
        while True:
            with guard:
                if done:
                    return

    ordered_by(tell, hear)


def no_job() -> None:
    one, other = threading.Lock(), threading.Lock()
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(time.sleep, 3 * PAUSE_S)
        nest(one, other)
        pool.submit(nest, other, one).result()
        busy.result()


def no_turns() -> None:
    """One does it again and again, but only when the other has said that it is its turn."""
    one, other = threading.Lock(), threading.Lock()
    turns = [threading.Semaphore(1), threading.Semaphore(0)]

    def play(mine: int, outer: Any, inner: Any) -> None:
        for _ in range(20):
            turns[mine].acquire()
            nest(outer, inner)
            turns[1 - mine].release()

    for thread in [start(play, 0, one, other), start(play, 1, other, one)]:
        thread.join()


def no_locks_as_signals() -> None:
    one, other = threading.Lock(), threading.Lock()

    def first() -> None:
        one.acquire()
        other.acquire()

    def second() -> None:
        one.release()
        other.release()

    start(first).join()
    start(second).join()
    one_after_the_other(nest, one, other)


def no_other_threads_queue_up() -> None:
    """Many threads, one order, much contention."""
    one, other = threading.Lock(), threading.Lock()

    def many() -> None:
        for _ in range(200):
            nest(one, other)

    for thread in [start(many) for _ in range(4)]:
        thread.join()


def main() -> None:
    ways = [name for name, one in globals().items() if getattr(one, "__annotations__", 0) == {"return": None}]
    found: dict[str, Any] = {}
    for way in sys.argv[1:] or [way for way in ways if way != "main"]:
        with headway.record() as recording:
            globals()[way]()
        found[way] = [
            {"kind": one.kind, "where": one.where, "sentence": one.sentence} for one in recording.findings
        ]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
