"""Pools whose jobs run one after the other: for no reason, and for good ones; named by which it is."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

JOBS = 10


def naps(_: object = None) -> None:
    time.sleep(0.025)


def needlessly(pool: ThreadPoolExecutor) -> None:
    for _ in range(JOBS):
        needless = pool.submit(naps)
        needless.result()


def with_a_time_limit(pool: ThreadPoolExecutor) -> None:
    for _ in range(JOBS):
        pool.submit(naps).result(timeout=10)


def now_and_then(pool: ThreadPoolExecutor) -> None:
    for _ in range(JOBS):
        pool.submit(naps)
        time.sleep(0.04)


def together(pool: ThreadPoolExecutor) -> None:
    for future in [pool.submit(naps) for _ in range(3 * JOBS)]:
        future.result()


def of_several_threads(pool: ThreadPoolExecutor) -> None:
    for _ in range(JOBS):
        thread = threading.Thread(target=lambda: pool.submit(naps).result())
        thread.start()
        thread.join()


def of_a_task(pool: ThreadPoolExecutor) -> None:
    async def main() -> None:
        for _ in range(JOBS):
            await asyncio.get_running_loop().run_in_executor(pool, naps)

    asyncio.run(main())


for how in (needlessly, with_a_time_limit, now_and_then, together, of_several_threads, of_a_task):
    with ThreadPoolExecutor(4, thread_name_prefix=how.__name__) as executor:
        how(executor)
with ThreadPoolExecutor(1, thread_name_prefix="one-worker") as executor:
    needlessly(executor)
