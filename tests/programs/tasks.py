"""Tasks whose states are known: each kind of wait 50 ms, one after the other; prints what it measured."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

SHORT_S = 0.05


async def sleeps() -> None:
    await asyncio.sleep(SHORT_S)


async def locks(lock: asyncio.Lock) -> None:
    async with lock:
        pass


async def waits_for_event(event: asyncio.Event) -> None:
    await event.wait()


async def takes(items: "asyncio.Queue[int]") -> None:
    await items.get()


async def reads(reader: asyncio.StreamReader) -> None:
    await reader.readline()


async def awaits(future: "asyncio.Future[None]") -> None:
    await future


async def joins(other: "asyncio.Task[None]") -> None:
    await other


async def in_thread() -> None:
    await asyncio.to_thread(time.sleep, SHORT_S)


async def blocks() -> None:
    time.sleep(SHORT_S)


async def each(items: list[float]) -> AsyncIterator[float]:
    for item in items:
        await asyncio.sleep(item)
        yield item


async def iterates() -> None:
    async for _ in each([SHORT_S]):
        pass


async def fails() -> None:
    raise ValueError("on purpose")


async def forever() -> None:
    await asyncio.Event().wait()


async def measured(
    coroutine: Coroutine[Any, Any, None], name: str, wake: Callable[[], object] | None = None
) -> None:
    """Run a coroutine as a task; `wake` ends its wait after 50 ms."""
    began = time.monotonic()
    task = asyncio.create_task(coroutine, name=name)
    if wake is not None:
        await asyncio.sleep(SHORT_S)
        wake()
    await asyncio.wait([task])
    said[name] = time.monotonic() - began


async def main() -> None:
    lock, event = asyncio.Lock(), asyncio.Event()
    items: asyncio.Queue[int] = asyncio.Queue()
    reader, future = asyncio.StreamReader(), asyncio.get_running_loop().create_future()
    await lock.acquire()
    await measured(sleeps(), "sleep")
    await measured(locks(lock), "lock", lock.release)
    await measured(waits_for_event(event), "event", event.set)
    await measured(takes(items), "queue", lambda: items.put_nowait(1))
    await measured(reads(reader), "io", lambda: reader.feed_data(b"line\n"))
    await measured(awaits(future), "future", lambda: future.set_result(None))
    await measured(joins(asyncio.create_task(sleeps(), name="joined")), "join")
    await measured(in_thread(), "thread")
    await measured(blocks(), "blocks")
    await measured(iterates(), "iterates")
    await measured(fails(), "fails")
    endless = asyncio.create_task(forever(), name="endless")
    await measured(forever_until(endless), "cancels")


async def forever_until(task: "asyncio.Task[None]") -> None:
    await asyncio.sleep(0.01)
    task.cancel()


said: dict[str, float] = {}
if __name__ == "__main__":
    sys.stderr = open("/dev/null", "w")  # noqa: SIM115 (the exception that nobody fetched)
    asyncio.run(main())
    print(json.dumps(said))
