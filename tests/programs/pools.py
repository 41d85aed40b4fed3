"""Pools and queues of processes by one start method: `pools.py METHOD`."""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.queues import Queue


def square(n: int) -> int:
    return n * n


def put(queue: "Queue[int]") -> None:
    queue.put(6)
    sys.exit(7)


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with context.Pool(2) as pool:
        print(sum(pool.map(square, range(100))))
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        print(list(executor.map(square, range(9))))
    queue: "Queue[int]" = context.Queue()
    process = context.Process(target=put, args=(queue,))  # type: ignore[attr-defined]  # of the base class
    process.start()
    print(queue.get())
    process.join()
    print(process.exitcode)
