"""A getter with a timeout, and an item that is put at the moment of the timeout: it is got, or it is still there.

A `Queue.get` that is cancelled has not taken anything.
"""

import asyncio

KIND = "ok"
LEVEL = "sync"
SOURCE = "https://docs.python.org/3/library/asyncio-task.html#timeouts; Lib/asyncio/queues.py"


async def scenario() -> None:
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def produce() -> None:
        await asyncio.sleep(0.0005)
        queue.put_nowait("letter")

    producer = asyncio.create_task(produce())
    got: list[str] = []
    try:
        async with asyncio.timeout(0.0005):
            got.append(await queue.get())
    except TimeoutError:
        pass
    await producer
    assert len(got) + queue.qsize() == 1
