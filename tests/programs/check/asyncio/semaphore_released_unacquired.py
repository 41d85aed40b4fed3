"""A task that is cancelled while it waits for a semaphore gives back a place that it never had.

`first` is inside; `second` waits, is cancelled, and releases in its `finally`; `third` comes in beside `first`.
"""

import asyncio

KIND = "failure"
LEVEL = "sync"
SOURCE = "ours; `acquire` belongs before the `try`"


class Room:
    def __init__(self) -> None:
        self.places = asyncio.Semaphore(1)
        self.inside = 0
        self.most = 0

    async def visit(self) -> None:
        try:
            await self.places.acquire()
            self.inside += 1
            self.most = max(self.most, self.inside)
            try:
                await asyncio.sleep(0)
            finally:
                self.inside -= 1
        finally:
            self.places.release()


async def scenario() -> None:
    room = Room()
    visitors = [asyncio.create_task(room.visit()) for _ in range(3)]
    await asyncio.sleep(0)
    visitors[1].cancel()
    await asyncio.wait(visitors)
    assert room.most == 1
