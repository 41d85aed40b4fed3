"""A device is restarted: the old task is cancelled and awaited, and then the new one started.

The old one's `finally` has closed the device before the new one opens it.
"""

import asyncio

KIND = "ok"
LEVEL = "sync"
SOURCE = "cleanup_not_awaited, mended"


class Device:
    def __init__(self) -> None:
        self.is_open = False


async def scenario() -> None:
    device = Device()
    stop = asyncio.Event()

    async def drive() -> bool:
        device.is_open = True
        try:
            await stop.wait()
            return device.is_open
        finally:
            await asyncio.sleep(0)
            device.is_open = False

    old = asyncio.create_task(drive())
    await asyncio.sleep(0)
    old.cancel()
    await asyncio.wait([old])
    new = asyncio.create_task(drive())
    stop.set()
    assert await new
