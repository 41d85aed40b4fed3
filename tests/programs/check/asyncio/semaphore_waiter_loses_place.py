"""A waiter of a semaphore that is woken looks again, finds that a newcomer was faster, and queues up at the end.

`first` and `second` wait; the semaphore is released, and wakes `first`; `newcomer` runs before it and takes the place.
`first` looks, goes to the end of the queue, and `second` is served before it.
"""

import asyncio
from collections import deque

KIND = "failure"
LEVEL = "sync"
SOURCE = "bpo-45997, python/cpython#90155; https://github.com/python/cpython/issues/90155"


class Semaphore:
    def __init__(self, value: int) -> None:
        self.value = value
        self.waiters: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        while self.value <= 0:
            waiter = asyncio.get_running_loop().create_future()
            self.waiters.append(waiter)
            await waiter
        self.value -= 1

    def release(self) -> None:
        self.value += 1
        if self.waiters:
            self.waiters.popleft().set_result(None)


async def scenario() -> None:
    semaphore = Semaphore(1)
    served: list[str] = []

    async def use(name: str) -> None:
        await semaphore.acquire()
        served.append(name)
        await asyncio.sleep(0)
        semaphore.release()

    await semaphore.acquire()
    tasks = [asyncio.create_task(use("first"))]
    while not semaphore.waiters:
        await asyncio.sleep(0)
    tasks.append(asyncio.create_task(use("second")))
    while len(semaphore.waiters) < 2:
        await asyncio.sleep(0)
    semaphore.release()
    tasks.append(asyncio.create_task(use("newcomer")))
    await asyncio.gather(*tasks)
    assert served.index("first") < served.index("second")
