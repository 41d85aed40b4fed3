"""A producer sees room in the queue, waits for a label, and puts without waiting.

Both producers see the last free place; both wait; the second to put gets QueueFull.
"""

import asyncio

KIND = "failure"
LEVEL = "sync"
SOURCE = "ours; what was true before an await"


async def label(parcel: str) -> str:
    await asyncio.sleep(0)
    return f"to {parcel}"


async def scenario() -> None:
    belt: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
    kept: list[str] = []

    async def send(parcel: str) -> None:
        if belt.full():
            kept.append(parcel)
        else:
            belt.put_nowait(await label(parcel))

    await asyncio.gather(send("ann"), send("bob"))
    assert belt.qsize() + len(kept) == 2
