"""Coroutine functions on an event loop: for very many calls that wait."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import threading
import time
import weakref
from collections import deque
from collections.abc import Awaitable
from concurrent.futures import CancelledError
from inspect import isawaitable
from typing import Any, ClassVar

from headway.errors import InitializerFailed, TimedOut, UsageError
from headway.run.backends.contract import Setup
from headway.run.backends.ending import forget
from headway.run.backends.window import GRACE_S, Chunk, Windowed
from headway.run.batch import Portion, Spent

__all__ = ["Asyncio"]


class Asyncio(Windowed):
    """Makes each call a task, with the context variables of the thread that submitted it.

    A call that is stopped is cancelled, and delivered when it has cleaned up or after a second; one that runs
    on nevertheless keeps its place among the workers until it ends. What a function returns must be
    awaitable: a plain function would hold up all other calls.

    Args:
        workers: At most so many tasks at a time; None is 100.
        setup: The initializer runs once, in the loop; it may be a coroutine function.
        loop: The running loop of the caller; None starts one in a thread of its own, of the kind that the
            event loop policy makes. With the caller's, `close` called in its thread does not wait.
    """

    name: ClassVar[str] = "asyncio"
    batch_ns: ClassVar[int] = 0
    stops: ClassVar[bool] = True
    local: ClassVar[bool] = True
    _single: ClassVar[bool] = True

    _numbers = itertools.count(1)

    def __init__(
        self,
        workers: int | None = None,
        setup: Setup = Setup(),
        *,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(workers or 100, setup)
        self._own_loop = loop is None
        if loop is not None:
            forget(self)  # at the end the caller's loop runs no longer
        self._loop = loop
        self._begun: deque[Chunk] = deque()
        self._woken = False
        self._ready: asyncio.Task[None] | None = None

    def _start(self, chunk: Chunk) -> None:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = _run_in_thread(self._loop, f"{self._setup.name}-loop-{next(self._numbers)}")
                weakref.finalize(self, _end, self._loop).atexit = False
            self._begun.append(chunk)
            if self._woken:
                return
            self._loop.call_soon_threadsafe(self._make_tasks, self._loop)
            self._woken = True

    def _make_tasks(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._woken = False
        while self._begun:
            chunk = self._begun.popleft()
            # A copy each: what one call sets, the next does not see.
            task = loop.create_task(self._run(loop, chunk), context=chunk.context.copy())
            task.add_done_callback(functools.partial(self._done, chunk))

    def _done(self, chunk: Chunk, task: asyncio.Task[None]) -> None:
        # Subtle: a task that is cancelled before its first step, as asyncio.run does at its end, never comes
        # to the place in `_run` that delivers.
        if not chunk.ended:
            self._deliver(chunk, chunk.failed(CancelledError()))
        self._release(chunk)

    async def _run(self, loop: asyncio.AbstractEventLoop, chunk: Chunk) -> None:
        batch, errors = chunk.batch, dict[int, BaseException]()
        value, started_ns, timer = None, 0, None
        chunk.handle = asyncio.current_task()
        try:
            if chunk.error is not None:
                raise chunk.error
            if self._setup.initializer is not None:
                await self._initialized()
            started_ns = time.monotonic_ns()
            if batch.timeout_s is not None:
                timer = loop.call_later(batch.timeout_s, self._time_out, loop, chunk)
            value = await _call(chunk)
        except BaseException as error:
            errors[0] = error
        if timer is not None:
            timer.cancel()
        spent = Spent(chunk.sent_ns, started_ns, time.monotonic_ns(), 0, threading.current_thread().name)
        self._deliver(chunk, Portion(batch, chunk.first, [value], errors, spent))
        self._release(chunk)

    async def _initialized(self) -> None:
        if self._ready is None:
            self._ready = asyncio.ensure_future(self._initialize())
        await asyncio.shield(self._ready)

    async def _initialize(self) -> None:
        assert self._setup.initializer is not None
        try:
            outcome = self._setup.initializer(*self._setup.initargs)
            if isawaitable(outcome):
                await outcome
        except BaseException as error:
            raise InitializerFailed(f"the initializer raised {type(error).__name__}: {error}") from error

    def _stop_chunk(self, chunk: Chunk, error: BaseException) -> bool:
        chunk.error = error
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and so the call is delivered
                self._loop.call_soon_threadsafe(self._cancel, self._loop, chunk)
        return True

    def _time_out(self, loop: asyncio.AbstractEventLoop, chunk: Chunk) -> None:
        name = _name(chunk.batch.fn)
        chunk.error = TimedOut(f"{name} was stopped: it ran longer than {chunk.batch.timeout_s:g} s")
        self._cancel(loop, chunk)

    def _cancel(self, loop: asyncio.AbstractEventLoop, chunk: Chunk) -> None:
        if chunk.ended or chunk.handle is None:  # a task that has not begun sees the error when it does
            return
        chunk.handle.cancel()
        loop.call_later(GRACE_S, self._give_up, chunk)

    def _may_wait(self) -> bool:
        if self._own_loop:
            return threading.current_thread() is not self._thread
        with contextlib.suppress(RuntimeError):
            return asyncio.get_running_loop() is not self._loop
        return True

    def _let_go(self) -> None:
        if self._own_loop and self._loop is not None:
            _end(self._loop)

    def describe(self) -> dict[str, object]:
        if self._loop is None:
            return {}
        return {"loop": f"{type(self._loop).__module__}.{type(self._loop).__qualname__}"}


async def _call(chunk: Chunk) -> Any:
    batch, item = chunk.batch, chunk.items[0]
    args = item if batch.star else (item,)
    outcome: Awaitable[Any] = batch.fn(*args, **batch.kwargs)
    if not isawaitable(outcome):
        raise UsageError(
            f"{_name(batch.fn)} returned {type(outcome).__name__}, which cannot be awaited",
            hint="on='asyncio' is for coroutine functions; use on='threads' for this one",
        )
    return await outcome


def _name(fn: object) -> str:
    return str(getattr(fn, "__qualname__", None) or repr(fn))


def _run_in_thread(loop: asyncio.AbstractEventLoop, name: str) -> threading.Thread:
    thread = threading.Thread(target=_run_loop, args=(loop,), name=name, daemon=True)
    thread.start()
    return thread


# No methods: a thread that held the backend would keep one that nobody closes alive for ever.
def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        # What calls left behind: tasks of their own, and calls that would not be cancelled.
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=GRACE_S))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _end(loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.suppress(RuntimeError):  # it is closed
        loop.call_soon_threadsafe(loop.stop)
