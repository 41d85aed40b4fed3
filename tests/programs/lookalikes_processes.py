"""Processes that seem to wait for each other for ever: `lookalikes_processes.py WAY SECONDS`. Then they go on."""

import multiprocessing
import sys
import time
from collections.abc import Callable
from typing import Any

LONG_S = float(sys.argv[2])
context = multiprocessing.get_context("fork")


def start(*targets: tuple[Callable[..., None], tuple[Any, ...]]) -> list[Any]:
    started = [context.Process(target=target, args=args) for target, args in targets]
    for process in started:
        process.start()
    return started


def join(processes: list[Any]) -> None:
    for process in processes:
        process.join()
        assert process.exitcode == 0


def forward(first: Any, second: Any, both: Any) -> None:
    with first:
        both.wait()
        with second:
            pass


def backward(first: Any, second: Any, both: Any) -> None:
    with second:
        both.wait()
        if first.acquire(timeout=LONG_S):
            first.release()


def circle_with_a_time_limit() -> None:
    locks = context.Lock(), context.Lock(), context.Barrier(2)
    join(start((forward, locks), (backward, locks)))


def take(mine: Any, both: Any, other: Any) -> None:
    mine.acquire()
    both.wait()
    other.acquire()


def others_release() -> None:
    """Each waits for what the other has taken, and a third process gives both back."""
    one, other, both = context.Lock(), context.Lock(), context.Barrier(2)
    processes = start((take, (one, both, other)), (take, (other, both, one)))
    time.sleep(LONG_S)
    one.release()
    other.release()
    join(processes)


def semaphores_as_signals() -> None:
    one, other, both = context.Semaphore(1), context.Semaphore(1), context.Barrier(2)
    processes = start((take, (one, both, other)), (take, (other, both, one)))
    time.sleep(LONG_S)
    one.release()
    other.release()
    join(processes)


def hold(lock: Any, has_it: Any) -> None:
    with lock:
        has_it.set()
        time.sleep(LONG_S)


def touch(lock: Any, has_it: Any) -> None:
    has_it.wait()
    with lock:
        pass


def one_that_takes_long() -> None:
    lock, has_it = context.Lock(), context.Event()
    join(start((hold, (lock, has_it)), (touch, (lock, has_it)), (touch, (lock, has_it))))


def wait_and_touch(lock: Any) -> None:
    if lock.acquire(timeout=LONG_S):
        lock.release()


def lock_and_join_of_one_that_gives_up() -> None:
    lock = context.Lock()
    with lock:
        join(start((wait_and_touch, (lock,))))


def turn(mine: Any, next_: Any, rounds: int) -> None:
    for _ in range(rounds):
        mine.acquire()
        time.sleep(LONG_S / 2)
        next_.release()


def turns() -> None:
    """Locks by which two processes take turns."""
    one, other = context.Lock(), context.Lock()
    other.acquire()
    join(start((turn, (one, other, 2)), (turn, (other, one, 2))))


def consume(jobs: Any) -> None:
    while jobs.get() is not None:
        pass


def idle_workers() -> None:
    jobs = context.Queue()
    workers = start((consume, (jobs,)), (consume, (jobs,)))
    time.sleep(LONG_S)
    for _ in workers:
        jobs.put(None)
    join(workers)


if __name__ == "__main__":
    print("started", flush=True)
    globals()[sys.argv[1]]()
    print("done", flush=True)
