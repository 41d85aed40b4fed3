"""One task of a group fails, and the other puts back what it has taken if it is cancelled before it has shipped.

Whenever the cancellation comes, the item is in stock or shipped.
"""

import asyncio

KIND = "ok"
LEVEL = "sync"
SOURCE = "sibling_cancelled_halfway, mended"


class Shop:
    def __init__(self) -> None:
        self.stock = 1
        self.shipped = 0

    async def ship(self) -> None:
        self.stock -= 1
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.stock += 1
            raise
        self.shipped += 1

    async def charge(self) -> None:
        await asyncio.sleep(0)
        raise ValueError("card refused")


async def scenario() -> None:
    shop = Shop()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(shop.ship())
            group.create_task(shop.charge())
    except* ValueError:
        pass
    assert shop.stock + shop.shipped == 1
