"""Three visitors of a room with two places, each of whom gives back what it has, and nothing else.

One of them may be cancelled at any time.
"""

import asyncio

KIND = "ok"
LEVEL = "sync"
SOURCE = "semaphore_released_unacquired, mended"


class Room:
    def __init__(self) -> None:
        self.places = asyncio.BoundedSemaphore(2)
        self.inside = 0
        self.most = 0

    async def visit(self) -> None:
        async with self.places:
            self.inside += 1
            self.most = max(self.most, self.inside)
            try:
                await asyncio.sleep(0)
            finally:
                self.inside -= 1


async def scenario() -> None:
    room = Room()
    visitors = [asyncio.create_task(room.visit()) for _ in range(3)]
    await asyncio.sleep(0)
    visitors[1].cancel()
    await asyncio.wait(visitors)
    assert room.most <= 2
    assert room.inside == 0
