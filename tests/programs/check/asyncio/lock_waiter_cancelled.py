"""A lock wakes its first waiter, that one is cancelled before it runs, and nobody wakes the second.

`release` sets the future of `first`; the canceller runs before `first` does, which then ends by CancelledError and does
not take the lock; `second` waits for ever at a lock that is free.
"""

import asyncio
from collections import deque

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "bpo-27585, python/cpython#1031; https://github.com/python/cpython/pull/1031"


class Lock:
    def __init__(self) -> None:
        self.locked = False
        self.waiters: deque[asyncio.Future[None]] = deque()

    async def acquire(self) -> None:
        if not self.locked and all(waiter.cancelled() for waiter in self.waiters):
            self.locked = True
            return
        waiter = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        try:
            await waiter
            self.locked = True
        finally:
            self.waiters.remove(waiter)

    def release(self) -> None:
        self.locked = False
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)
                return


async def scenario() -> None:
    lock = Lock()

    async def use() -> None:
        await lock.acquire()
        lock.release()

    async def cancel(task: asyncio.Task[None]) -> None:
        task.cancel()

    await lock.acquire()
    first = asyncio.create_task(use())
    while not lock.waiters:
        await asyncio.sleep(0)
    second = asyncio.create_task(use())
    while len(lock.waiters) < 2:
        await asyncio.sleep(0)
    lock.release()
    canceller = asyncio.create_task(cancel(first))
    await asyncio.wait([first, second, canceller])
    assert not second.cancelled()
