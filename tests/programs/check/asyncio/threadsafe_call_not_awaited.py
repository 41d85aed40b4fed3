"""A thread asks the loop to register a name, and looks it up at once.

`call_soon_threadsafe` only puts the call in a queue: the thread looks before the loop has got there: KeyError.
"""

import asyncio

KIND = "failure"
LEVEL = "sync"
SOURCE = "https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_soon_threadsafe"


async def scenario() -> None:
    loop = asyncio.get_running_loop()
    registry: dict[str, int] = {}

    def register(name: str, number: int) -> None:
        registry[name] = number

    def in_thread() -> int:
        loop.call_soon_threadsafe(register, "ann", 1)
        return registry["ann"]

    assert await asyncio.to_thread(in_thread) == 1
