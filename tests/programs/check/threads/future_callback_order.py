"""Whoever has the result of a future takes for granted that its callbacks have run.

`set_result` first wakes those who wait, and then runs the callbacks: the main thread has the result and looks at the
count before the callback has raised it.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

KIND = "failure"
LEVEL = "sync"
SOURCE = "Future.set_result in Lib/concurrent/futures/_base.py; https://docs.python.org/3/library/concurrent.futures.html"


def scenario() -> None:
    lock = threading.Lock()
    completed = 0

    def count(future: object) -> None:
        nonlocal completed
        with lock:
            completed += 1

    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(sum, (1, 2))
        future.add_done_callback(count)
        assert future.result() == 3
        with lock:
            counted = completed
    assert counted == 1
