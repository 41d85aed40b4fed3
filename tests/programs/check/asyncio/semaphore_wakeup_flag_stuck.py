"""A semaphore keeps newcomers out while a wake-up is under way, by a flag that the woken task clears.

`release` wakes `first` and raises the flag; the canceller runs before `first`, which ends by CancelledError and
does not clear the flag. The semaphore has a place, and `newcomer` waits for ever.
"""

import asyncio
from collections import deque

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "python/cpython#90155, the first mending (#31910); https://github.com/python/cpython/pull/93222"


class Semaphore:
    def __init__(self, value: int) -> None:
        self.value = value
        self.waking = False
        self.waiters: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        while self.waking or self.value <= 0:
            waiter = asyncio.get_running_loop().create_future()
            self.waiters.append(waiter)
            await waiter
            self.waking = False
        self.value -= 1

    def release(self) -> None:
        self.value += 1
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                self.waking = True
                waiter.set_result(None)
                return


async def scenario() -> None:
    semaphore = Semaphore(1)

    async def use() -> None:
        await semaphore.acquire()
        semaphore.release()

    async def cancel(task: asyncio.Task[None]) -> None:
        task.cancel()

    await semaphore.acquire()
    first = asyncio.create_task(use())
    while not semaphore.waiters:
        await asyncio.sleep(0)
    semaphore.release()
    canceller = asyncio.create_task(cancel(first))
    await asyncio.wait([first, canceller])
    newcomer = asyncio.create_task(use())
    await newcomer
    assert semaphore.value == 1
