"""A waiter that has been cancelled stays in the queue until it runs, and a newcomer queues up behind it.

`waiter` is cancelled; the lock is released, and since the only waiter is cancelled, nobody gets it; `newcomer` runs
before `waiter` has cleaned up, finds the queue not empty, and waits; `waiter` takes itself out and wakes nobody.
"""

import asyncio
from collections import deque

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "agronholm/anyio#1145; https://github.com/agronholm/anyio/pull/1145"


class Lock:
    def __init__(self) -> None:
        self.locked = False
        self.waiters: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        if not self.locked and not self.waiters:
            self.locked = True
            return
        waiter = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self.waiters.remove(waiter)
            else:
                self.release()
            raise

    def release(self) -> None:
        for waiter in self.waiters:
            if not waiter.cancelled():
                self.waiters.remove(waiter)
                waiter.set_result(None)  # the lock stays locked, and is now the waiter's
                return
        self.locked = False


async def scenario() -> None:
    lock = Lock()

    async def use() -> None:
        await lock.acquire()
        lock.release()

    await lock.acquire()
    waiter = asyncio.create_task(use())
    while not lock.waiters:
        await asyncio.sleep(0)
    waiter.cancel()
    lock.release()
    newcomer = asyncio.create_task(use())
    await asyncio.wait([waiter, newcomer])
    assert not lock.locked
