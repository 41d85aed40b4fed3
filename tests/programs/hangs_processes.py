"""Processes that hang for ever in a circle: `hangs_processes.py WAY METHOD`."""

import multiprocessing
import sys
import threading
from collections.abc import Callable
from typing import Any

context: Any = multiprocessing.get_context(sys.argv[2])


def run(*targets: tuple[Callable[..., None], tuple[Any, ...]]) -> None:
    started = [context.Process(target=target, args=args) for target, args in targets]
    for process in started:
        process.start()
    for process in started:
        process.join()


def forward(first: Any, second: Any, both: Any) -> None:
    with first:
        both.wait()
        with second:
            pass


def backward(first: Any, second: Any, both: Any) -> None:
    with second:
        both.wait()
        with first:
            pass


def abba() -> None:
    locks = context.Lock(), context.Lock(), context.Barrier(2)
    run((forward, locks), (backward, locks))


def take(lock: Any, both: Any, other: Any) -> None:
    lock.acquire()
    both.wait()
    other.acquire()
    other.release()
    lock.release()


def abba_by_calls() -> None:
    one, other, both = context.RLock(), context.RLock(), context.Barrier(2)
    run((take, (one, both, other)), (take, (other, both, one)))


def abba_of_conditions() -> None:
    locks = context.Condition(), context.Condition(), context.Barrier(2)
    run((forward, locks), (backward, locks))


def abba_of_threads() -> None:
    """One process, whose locks others could have, too."""
    first, second, both = context.Lock(), context.Lock(), threading.Barrier(2)
    threads = [threading.Thread(target=one, args=(first, second, both)) for one in (forward, backward)]
    for thread in threads:
        thread.start()


def circle_of_three() -> None:
    one, two, three, all_ = context.Lock(), context.Lock(), context.Lock(), context.Barrier(3)
    run((forward, (one, two, all_)), (forward, (two, three, all_)), (forward, (three, one, all_)))


def touch(lock: Any) -> None:
    with lock:
        pass


def lock_and_join() -> None:
    lock = context.Lock()
    process = context.Process(target=touch, args=(lock,))
    with lock:
        process.start()
        process.join()


def own_lock() -> None:
    lock = context.Lock()
    with lock:
        touch(lock)


if __name__ == "__main__":
    print("started", flush=True)
    globals()[sys.argv[1]]()
