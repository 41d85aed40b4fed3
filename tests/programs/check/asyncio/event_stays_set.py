"""An event is set once and stays set: listeners hear of it whether they come before or after.

It is never cleared.
"""

import asyncio

KIND = "ok"
LEVEL = "sync"
SOURCE = "event_pulsed_between_tasks, mended"


async def scenario() -> None:
    opened = asyncio.Event()
    prices: dict[str, int] = {}
    heard: list[int] = []

    async def listen() -> None:
        await opened.wait()
        heard.append(prices["tea"])

    async def open_shop() -> None:
        prices["tea"] = 3
        opened.set()

    await asyncio.gather(listen(), open_shop(), listen())
    assert heard == [3, 3]
