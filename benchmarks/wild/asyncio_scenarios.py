"""async-lru and aiocache: one computation for all who ask at once; janus: a queue between threads and a loop."""

import asyncio

import janus
from aiocache import SimpleMemoryCache, cached_stampede
from async_lru import alru_cache

PACKAGE = "async_lru"


async def check_async_lru_computes_once() -> None:
    """Three ask at once."""
    calls: list[int] = []

    @alru_cache(maxsize=2)
    async def load(key: int) -> int:
        calls.append(key)
        await asyncio.sleep(1)
        return key

    assert await asyncio.gather(load(1), load(1), load(1)) == [1, 1, 1]
    assert calls == [1]


async def check_async_lru_one_is_cancelled() -> None:
    """One who asks is cancelled; the other gets the value all the same."""

    @alru_cache(maxsize=2)
    async def load(key: int) -> int:
        await asyncio.sleep(0)
        return key

    first, second = asyncio.create_task(load(1)), asyncio.create_task(load(1))

    async def cancel() -> None:
        first.cancel()

    third = asyncio.create_task(cancel())
    assert await second == 1
    await asyncio.gather(first, third, return_exceptions=True)


async def check_async_lru_invalidated() -> None:
    """Invalidated while it is loaded."""

    @alru_cache(maxsize=2, ttl=10)
    async def load(key: int) -> int:
        await asyncio.sleep(1)
        return key

    async def forget() -> None:
        await asyncio.sleep(1)
        load.cache_invalidate(1)

    await asyncio.gather(load(1), forget(), load(1))
    assert load.cache_info().currsize <= 1


async def check_aiocache_stampede() -> None:
    """The lease keeps the others out."""
    calls: list[int] = []

    @cached_stampede(lease=2, cache=SimpleMemoryCache, key="k")
    async def load() -> int:
        calls.append(1)
        await asyncio.sleep(1)
        return 5

    assert await asyncio.gather(load(), load(), load()) == [5, 5, 5]
    assert calls == [1]
    await SimpleMemoryCache().clear()


async def check_janus() -> None:
    """Put in a thread, taken in a loop, with room for one."""
    queue: janus.Queue[int] = janus.Queue(maxsize=1)

    def produce() -> None:
        for number in range(2):
            queue.sync_q.put(number)

    thread = asyncio.create_task(asyncio.to_thread(produce))
    got = [await queue.async_q.get() for _ in range(2)]
    await thread
    assert got == [0, 1]
    await queue.aclose()
