"""A notification for one goes to a consumer that is cancelled before it runs.

An item comes and `first` is told; the canceller runs before it; the item stays, and `second` waits for ever beside it.
"""

import asyncio
from collections import deque

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "python/cpython#112202; https://github.com/python/cpython/issues/112202"


class Channel:
    def __init__(self) -> None:
        self.items: deque[str] = deque()
        self.takers: deque[asyncio.Future[None]] = deque()

    async def take(self) -> str:
        while not self.items:
            told = asyncio.get_running_loop().create_future()
            self.takers.append(told)
            try:
                await told
            finally:
                if told in self.takers:
                    self.takers.remove(told)
        return self.items.popleft()

    def put(self, item: str) -> None:
        self.items.append(item)
        if self.takers:
            self.takers.popleft().set_result(None)


async def scenario() -> None:
    channel = Channel()

    async def cancel(task: asyncio.Task[str]) -> None:
        task.cancel()

    first = asyncio.create_task(channel.take())
    while not channel.takers:
        await asyncio.sleep(0)
    second = asyncio.create_task(channel.take())
    while len(channel.takers) < 2:
        await asyncio.sleep(0)
    channel.put("bread")
    canceller = asyncio.create_task(cancel(first))
    await asyncio.wait([first, canceller])
    if not first.cancelled():
        channel.put("milk")
    await second
