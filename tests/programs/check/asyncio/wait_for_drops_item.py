"""A home-made `wait_for` races a getter against a timer, and looks at the timer first.

The item is put at the moment of the timeout: the getter has it, the timer is done, too, and the getter's result is
thrown away with it.
"""

import asyncio

KIND = "failure"
LEVEL = "sync"
SOURCE = "python/asyncio#343: wait_for loses an item; https://github.com/python/asyncio/issues/343"


async def take(queue: asyncio.Queue[str], timeout_s: float) -> str | None:
    getter = asyncio.create_task(queue.get())
    timer = asyncio.create_task(asyncio.sleep(timeout_s))
    await asyncio.wait([getter, timer], return_when=asyncio.FIRST_COMPLETED)
    if timer.done():
        getter.cancel()
        return None
    timer.cancel()
    return getter.result()


async def scenario() -> None:
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def produce() -> None:
        await asyncio.sleep(0.001)
        queue.put_nowait("letter")

    producer = asyncio.create_task(produce())
    item = await take(queue, timeout_s=0.001)
    await producer
    await asyncio.sleep(0.001)
    assert item == "letter" or not queue.empty()
