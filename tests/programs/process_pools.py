"""Pools of processes: some too small for what their jobs wait for, or used one by one; and others that only look so."""

import asyncio
import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, wait
from typing import Any

fork = multiprocessing.get_context("fork")
JOBS = 10


def naps(_: object = None) -> None:
    time.sleep(0.025)


def computes() -> None:
    end = time.thread_time() + 0.01
    while time.thread_time() < end:
        pass


def stream() -> None:
    with ProcessPoolExecutor(2, mp_context=fork) as pool:

        def asks() -> None:
            for _ in range(2):
                pool.submit(naps).result()  # stream

        # Before its first threads: a fork beside threads is what later Pythons warn of.
        pool.submit(computes).result()
        threads = [threading.Thread(target=asks) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def at_once() -> None:
    with ProcessPoolExecutor(2, mp_context=fork) as pool:
        wait([pool.submit(naps) for _ in range(30)])  # at once


def computing() -> None:
    with ProcessPoolExecutor(2, mp_context=fork) as pool:
        wait([pool.submit(computes) for _ in range(40)])


def one_worker() -> None:
    with ProcessPoolExecutor(1, mp_context=fork) as pool:
        wait([pool.submit(naps) for _ in range(20)])
    with ProcessPoolExecutor(1, mp_context=fork) as pool:
        for _ in range(JOBS):
            pool.submit(naps).result()


def roomy() -> None:
    with ProcessPoolExecutor(8, mp_context=fork) as pool:
        wait([pool.submit(naps) for _ in range(20)])


def mapped() -> None:
    with fork.Pool(2) as pool:
        for _ in range(JOBS):
            pool.map(naps, range(2))


def needlessly(submit: Callable[[], Callable[[], Any]]) -> None:
    for _ in range(JOBS):
        result = submit()
        result()  # needlessly


def with_a_time_limit() -> None:
    with ProcessPoolExecutor(4, mp_context=fork) as pool:
        for _ in range(JOBS):
            pool.submit(naps).result(timeout=10)
    with fork.Pool(4) as tasks:
        for _ in range(JOBS):
            tasks.apply_async(naps).get(10)


def of_a_task() -> None:
    async def main() -> None:
        for _ in range(JOBS):
            await asyncio.get_running_loop().run_in_executor(pool, naps)

    with ProcessPoolExecutor(4, mp_context=fork) as pool:
        asyncio.run(main())


for each in (stream, at_once, computing, one_worker, roomy, mapped, with_a_time_limit, of_a_task):
    each()
with ProcessPoolExecutor(4, mp_context=fork) as executor:
    needlessly(lambda: executor.submit(naps).result)
with fork.Pool(4) as pool_of_four:
    needlessly(lambda: pool_of_four.apply_async(naps).get)
    for _ in range(JOBS):
        pool_of_four.apply(naps)  # apply
