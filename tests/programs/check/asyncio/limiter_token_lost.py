"""A limiter gives its token to a waiter by name, and that one is cancelled before it runs.

`release` takes `first` out of the queue and gives it the token; the canceller runs first; `first` looks for itself in
the queue, is not there, and goes. The token has no owner, and `second` waits for ever.
"""

import asyncio

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "agronholm/anyio#947; https://github.com/agronholm/anyio/issues/947"


class Limiter:
    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.queue: dict[str, asyncio.Event] = {}

    async def acquire(self, name: str) -> None:
        if self.tokens > 0 and not self.queue:
            self.tokens -= 1
            return
        self.queue[name] = asyncio.Event()
        try:
            await self.queue[name].wait()
        except asyncio.CancelledError:
            self.queue.pop(name, None)
            raise

    def release(self) -> None:
        if self.queue:
            self.queue.pop(next(iter(self.queue))).set()
        else:
            self.tokens += 1


async def scenario() -> None:
    limiter = Limiter(tokens=1)

    async def use(name: str) -> None:
        await limiter.acquire(name)
        limiter.release()

    async def cancel(task: asyncio.Task[None]) -> None:
        task.cancel()

    await limiter.acquire("main")
    first = asyncio.create_task(use("first"))
    while "first" not in limiter.queue:
        await asyncio.sleep(0)
    second = asyncio.create_task(use("second"))
    while "second" not in limiter.queue:
        await asyncio.sleep(0)
    limiter.release()
    canceller = asyncio.create_task(cancel(first))
    await asyncio.wait([first, second, canceller])
    assert limiter.tokens == 1
