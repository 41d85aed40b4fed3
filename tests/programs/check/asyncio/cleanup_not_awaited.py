"""A device is restarted: the old task is cancelled, and the new one started before the old has cleaned up.

The new task opens the device; the old one's `finally`, which takes a moment, closes it; the new one finds it closed.
"""

import asyncio

KIND = "failure"
LEVEL = "sync"
SOURCE = "Task.cancel only asks: https://docs.python.org/3/library/asyncio-task.html#asyncio.Task.cancel"


class Device:
    def __init__(self) -> None:
        self.is_open = False


async def scenario() -> None:
    device = Device()
    started, stop = asyncio.Event(), asyncio.Event()

    async def drive() -> bool:
        device.is_open = True
        started.set()
        try:
            await stop.wait()
            return device.is_open
        finally:
            await asyncio.sleep(0)
            device.is_open = False

    old = asyncio.create_task(drive())
    await started.wait()
    started.clear()
    old.cancel()
    new = asyncio.create_task(drive())
    await started.wait()
    await asyncio.wait([old])
    stop.set()
    assert await new
