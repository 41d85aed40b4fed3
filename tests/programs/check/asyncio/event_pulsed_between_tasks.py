"""An event is set and cleared at once, to let those through who wait now.

The pulse comes before the listener has started to wait.
"""

import asyncio

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "ours; an Event is a state: https://docs.python.org/3/library/asyncio-sync.html#asyncio.Event"


async def scenario() -> None:
    tick = asyncio.Event()
    heard: list[str] = []

    async def listen() -> None:
        await tick.wait()
        heard.append("tick")

    async def pulse() -> None:
        tick.set()
        tick.clear()

    await asyncio.gather(listen(), pulse())
    assert heard == ["tick"]
