"""One task of a group fails, the other is cancelled between taking from the stock and shipping.

The reservation has taken the item and waits for the label when the payment fails: the group cancels it, and the item is
neither in stock nor shipped. If it has shipped before, or not begun, the books are right.
"""

import asyncio

KIND = "failure"
LEVEL = "sync"
SOURCE = "ours; structured concurrency cancels siblings: https://docs.python.org/3/library/asyncio-task.html#task-groups"


class Shop:
    def __init__(self) -> None:
        self.stock = 1
        self.shipped = 0

    async def ship(self) -> None:
        self.stock -= 1
        await asyncio.sleep(0)
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
