"""A buffer for one item, with two producers and two consumers on one condition, and all are told of each change.

Each looks again when it has been woken.
"""

import asyncio

KIND = "ok"
LEVEL = "sync"
SOURCE = "https://docs.python.org/3/library/asyncio-sync.html#asyncio.Condition"


class Buffer:
    def __init__(self) -> None:
        self.changed = asyncio.Condition()
        self.items: list[str] = []

    async def put(self, item: str) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: not self.items)
            self.items.append(item)
            self.changed.notify_all()

    async def get(self) -> str:
        async with self.changed:
            await self.changed.wait_for(lambda: self.items)
            item = self.items.pop()
            self.changed.notify_all()
            return item


async def scenario() -> None:
    buffer = Buffer()
    got = await asyncio.gather(buffer.get(), buffer.get(), buffer.put("a"), buffer.put("b"))
    assert sorted(item for item in got if item is not None) == ["a", "b"]
