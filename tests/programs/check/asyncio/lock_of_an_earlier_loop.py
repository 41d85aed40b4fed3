"""A lock is made once and used in two event loops, one after the other.

A lock belongs to the loop in which somebody first had to wait for it. If there was a wait in each run, the second
raises RuntimeError, bound to a different event loop; without one, nobody notices.
"""

import asyncio

KIND = "failure"
LEVEL = "sync"
SOURCE = "bpo-42392, python/cpython#86558; Lib/asyncio/mixins.py"


async def day(lock: asyncio.Lock) -> None:
    async def long_visit() -> None:
        async with lock:
            await asyncio.sleep(0)

    async def short_visit() -> None:
        async with lock:
            pass

    await asyncio.gather(short_visit(), long_visit())


def scenario() -> None:
    lock = asyncio.Lock()
    asyncio.run(day(lock))
    asyncio.run(day(lock))
