"""Two tasks draw from one asynchronous generator.

One is inside it, waiting for the queue, when the other asks for the next: RuntimeError, asynchronous generator is
already running. If the items are there before anybody asks, nobody waits inside.
"""

import asyncio
from collections.abc import AsyncIterator

KIND = "failure"
LEVEL = "sync"
SOURCE = "PEP 525: asynchronous generators are not for two tasks at once"


async def stream(queue: asyncio.Queue[int]) -> AsyncIterator[int]:
    while True:
        yield await queue.get()


async def scenario() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    numbers = stream(queue)

    async def produce() -> None:
        for number in (1, 2):
            queue.put_nowait(number)

    async def draw() -> int:
        return await anext(numbers)

    _, *drawn = await asyncio.gather(produce(), draw(), draw())
    assert sorted(number for number in drawn if number is not None) == [1, 2]
