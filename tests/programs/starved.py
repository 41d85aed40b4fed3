"""Pools that are too small for what their jobs wait for, and others that only look so; named by which they are."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

NAP_S = 0.02


def naps() -> None:
    time.sleep(NAP_S)


def computes() -> None:
    end = time.thread_time() + 0.01
    while time.thread_time() < end:
        pass


def both() -> None:
    end = time.thread_time() + 0.004
    while time.thread_time() < end:
        pass
    time.sleep(0.006)


lock = threading.Lock()


def locks() -> None:
    with lock:
        time.sleep(0.01)


def stream() -> None:
    """Many ask for a little each, and wait for it."""
    with ThreadPoolExecutor(2, thread_name_prefix="stream") as pool:

        def asks() -> None:
            for _ in range(2):
                pool.submit(naps).result()

        threads = [threading.Thread(target=asks) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def given(name: str, workers: int, jobs: int, function: Callable[[], object]) -> None:
    with ThreadPoolExecutor(workers, thread_name_prefix=name) as pool:
        wait([pool.submit(function) for _ in range(jobs)])


stream()
given("batch", 2, 30, naps)
given("one-worker", 1, 20, naps)
given("computing", 2, 30, computes)
given("half-computing", 4, 50, both)
given("locking", 4, 30, locks)
given("few", 2, 19, lambda: time.sleep(0.03))
given("roomy", 16, 40, naps)
