"""asyncio: many small tasks that yield to the loop, and a queue between some of them."""

import asyncio


async def small(items: "asyncio.Queue[int]", i: int) -> None:
    await asyncio.sleep(0)
    await items.put(i)
    await asyncio.sleep(0)


async def collect(items: "asyncio.Queue[int]", amount: int) -> int:
    total = 0
    for _ in range(amount):
        total += await items.get()
    return total


async def rounds(amount: int) -> int:
    total = 0
    for _ in range(amount):
        items: asyncio.Queue[int] = asyncio.Queue(50)
        collector = asyncio.create_task(collect(items, 1000))
        await asyncio.gather(*(small(items, i) for i in range(1000)))
        total += await collector
    return total


def work(amount: int) -> None:
    assert asyncio.run(rounds(amount)) == amount * 499500
