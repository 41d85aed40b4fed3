"""Workers take from a queue until it is empty, with a pause before each item.

One item is left. Both see it; both pause; one takes it, and the other waits for an item that never comes.
"""

import asyncio

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "ours; `while not queue.empty(): await queue.get()` with an await between"


async def scenario() -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    jobs.put_nowait("job")
    done: list[str] = []

    async def work() -> None:
        while not jobs.empty():
            await asyncio.sleep(0)
            done.append(await jobs.get())

    await asyncio.gather(work(), work())
    assert done == ["job"]
