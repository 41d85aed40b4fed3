"""What a task needs to read results: portions and items that come to it without blocking its event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterable, Callable
from typing import Any

from headway.run.batch import Portion
from headway.run.source import Source

__all__ = ["AsyncQueue", "AsyncSource", "pause", "running_loop"]


def running_loop() -> asyncio.AbstractEventLoop:
    """The event loop of the task that asks."""
    return asyncio.get_running_loop()


async def pause() -> None:
    """Let other tasks run."""
    await asyncio.sleep(0)


class AsyncQueue:
    """Portions from any thread for one task."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._portions: deque[Portion] = deque()
        self._came = asyncio.Event()

    def put(self, portion: Portion) -> None:
        """Take a portion, from any thread."""
        self._portions.append(portion)
        self.wake_from_thread()

    def wake(self) -> None:
        """Let `wait` return, from the loop's own thread."""
        self._came.set()

    def wake_from_thread(self) -> None:
        """Let `wait` return, from any thread."""
        # A loop that has ended has no reader either.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._came.set)

    def take(self) -> list[Portion]:
        """All that came."""
        taken = []
        while self._portions:
            taken.append(self._portions.popleft())
        return taken

    async def wait(self, timeout_s: float | None) -> None:
        """Wait until something comes."""
        if not self._portions:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._came.wait()
        self._came.clear()


class AsyncSource(Source):
    """An asynchronous input: a task asks for the next item whenever one is wanted."""

    def __init__(self, items: AsyncIterable[Any], length: int | None, wake: Callable[[], None]) -> None:
        super().__init__(iter(()), length)
        self._from = aiter(items)
        self._wake = wake
        self._got: deque[Any] = deque()
        self._wanted = 0
        self._task: asyncio.Task[None] | None = None
        self._at_end = False

    def get(self, count: int) -> list[Any]:
        """What has come of the input; more is asked for if that is not enough."""
        got = [self._got.popleft() for _ in range(min(count, len(self._got)))]
        if len(got) < count and not self._at_end:
            self._wanted = count
            if self._task is None or self._task.done():
                self._task = asyncio.ensure_future(self._fetch())
        self.ended = self._at_end and not self._got
        return got

    async def _fetch(self) -> None:
        try:
            while len(self._got) < self._wanted:
                self._got.append(await anext(self._from))
                self._wake()
        except StopAsyncIteration:
            self._at_end = True
        except Exception as error:
            self.failure = error
            self._at_end = True
        self.ended = self._at_end and not self._got
        self._wake()

    async def stop(self) -> None:
        """Wait for no item any more."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
