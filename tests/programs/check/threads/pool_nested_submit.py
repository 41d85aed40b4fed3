"""Jobs of a pool submit jobs to the same pool and wait for them.

Both workers have an outer job, and both wait for an inner job that no worker is left to run. If the first outer job has
ended before the second is begun, all goes well.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

KIND = "deadlock"
LEVEL = "sync"
SOURCE = (
    "https://docs.python.org/3/library/concurrent.futures.html#threadpoolexecutor (examples of deadlocks)"
)


def scenario() -> None:
    lock = threading.Lock()
    squares: list[int] = []

    with ThreadPoolExecutor(max_workers=2) as pool:

        def inner(number: int) -> int:
            return number * number

        def outer(number: int) -> None:
            square = pool.submit(inner, number).result()
            with lock:
                squares.append(square)

        futures = [pool.submit(outer, number) for number in (2, 3)]
        for future in futures:
            future.result()
    assert sorted(squares) == [4, 9]
