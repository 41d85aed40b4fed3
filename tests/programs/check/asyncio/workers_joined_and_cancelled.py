"""Two workers take jobs from a queue for ever; when the queue is joined, they are cancelled and awaited.

`task_done` comes after each job, so when `join` returns, nobody has one.
"""

import asyncio

KIND = "ok"
LEVEL = "sync"
SOURCE = "https://docs.python.org/3/library/asyncio-queue.html#examples"


async def scenario() -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
    done: list[int] = []

    async def work() -> None:
        while True:
            job = await jobs.get()
            await asyncio.sleep(0)
            done.append(job)
            jobs.task_done()

    workers = [asyncio.create_task(work()) for _ in range(2)]
    for job in range(3):
        await jobs.put(job)
    await jobs.join()
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert sorted(done) == [0, 1, 2]
    assert all(worker.cancelled() for worker in workers)
