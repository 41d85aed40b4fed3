"""One reading of a map or a pipeline: the loop that keeps the backends busy and gives what comes back."""

from __future__ import annotations

import contextlib
import queue
import sys
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from headway.errors import Cancelled, UsageError
from headway.run.batch import Portion
from headway.run.cancellation import CURRENT, CancelToken, Wake
from headway.run.feed import Feed
from headway.run.flow import Flow
from headway.run.source import Source
from headway.run.stage import Stage
from headway.run.standstill import Standstill

if TYPE_CHECKING:
    import asyncio

__all__ = ["Plan", "Reading"]

_TURN_S = 0.005
"""A task that reads results which are there lets others run at least so often."""


class Plan:
    """How to make the flow once somebody reads: in a thread, or in a task of an event loop.

    Args:
        items: Gives one item for each call.
        length: How many, if that is known.
        stages: Makes the stages; is told the event loop if the reader is a task of it, else None.
        asked: Each function, and on what it is to run, for people.
    """

    def __init__(
        self,
        items: Iterator[Any] | AsyncIterable[Any] | Feed,
        length: int | None,
        stages: Callable[[asyncio.AbstractEventLoop | None], list[Stage]],
        asked: Sequence[tuple[Callable[..., Any], object]] = (),
    ) -> None:
        self.items = items
        self.length = length
        self.stages = stages
        self.asked = asked


class Reading:
    """What the generators work on. They do not know the `Results`: whoever drops these ends the reading.

    Args:
        plan: How to make the flow.
        progress: Gets how many results were read, and of how many.
    """

    def __init__(self, plan: Plan, progress: Callable[[int, int | None], None] | None) -> None:
        self.plan = plan
        self.flow: Flow | None = None
        self.began_s: float | None = None
        self.ended_s: float | None = None
        self._progress = progress
        self._read = 0

    def end(self, *, abort: bool) -> None:
        """Read no more; once."""
        # While the interpreter ends, locks may be held by threads that no longer run; all backends are closed by then.
        if self.flow is None or self.ended_s is not None or sys.is_finalizing():
            return
        self.ended_s = time.monotonic()
        # Nobody waits: what still runs of a flow that was left is of no interest to its reader.
        self.flow.close(wait=False, abort=abort or self.flow.busy)
        if self._progress is not None:
            self._progress(self._read, self.plan.length)

    def _open(
        self, put: Callable[[Portion], None], source: Source, loop: asyncio.AbstractEventLoop | None
    ) -> Flow:
        self.flow = Flow(source, self.plan.stages(loop), put)
        self.began_s = time.monotonic()
        return self.flow

    def _tell(self, chunk: list[Any]) -> None:
        self._read += len(chunk)
        if self._progress is not None:
            self._progress(self._read, self.plan.length)

    def generate(self) -> Generator[Any, None, None]:
        """Read in this thread."""
        if isinstance(self.plan.items, AsyncIterable):
            raise UsageError(
                "an asynchronous input can only be read by `async for`",
                hint="async for result in headway.map(...): ...",
            )
        done: queue.SimpleQueue[Portion | None] = queue.SimpleQueue()
        items = self.plan.items
        source = (
            items.source(lambda: done.put(None))
            if isinstance(items, Feed)
            else Source(items, self.plan.length)
        )
        flow = self._open(done.put, source, None)
        ready = flow.last.ready
        abort = True
        wake = Wake(lambda: done.put(None))
        standstill = Standstill()
        try:
            while True:
                # The reader's: it may have entered or left a scope since.
                token = CURRENT.get()
                if token is not None:
                    _heed(token)
                while not done.empty():  # nobody else takes from it
                    if (portion := done.get_nowait()) is not None:
                        flow.take(portion)
                began_ns = standstill.begin()
                # What is there does not wait for an input that is slow.
                more = bool(ready and source.slow) or flow.pump()
                if ready:
                    standstill.end(began_ns)
                    chunk = flow.last.take_chunk()
                    self._tell(chunk)
                    if token is None:
                        yield from chunk
                    else:
                        for value in chunk:
                            yield value
                            _heed(token)
                elif flow.last.ended:
                    break
                elif not more:
                    due_ns = flow.due_ns
                    if token is None and due_ns is None:
                        portion = done.get()
                    else:
                        portion = None
                        with contextlib.suppress(queue.Empty), wake.by(token):
                            portion = done.get(timeout=_until_s(due_ns))
                    if portion is not None:
                        flow.take(portion)
                    standstill.end(began_ns)
            abort = flow.failure is not None
            if flow.failure is not None:
                raise flow.failure
        except GeneratorExit:
            abort = False
            raise
        finally:
            self.end(abort=abort)

    async def generate_async(self) -> AsyncIterator[Any]:
        """Read in the task that runs."""
        # A program without tasks does not pay for the import of asyncio.
        from headway.run.task_reader import AsyncQueue, AsyncSource, pause, running_loop

        loop = running_loop()
        done = AsyncQueue(loop)
        items = self.plan.items
        source: Source
        if isinstance(items, AsyncIterable):
            source = AsyncSource(items, self.plan.length, done.wake)
        elif isinstance(items, Feed):
            source = items.source(done.wake_from_thread)
        else:
            source = Source(items, self.plan.length)
        flow = self._open(done.put, source, loop)
        ready = flow.last.ready
        abort = True
        turn_s = time.monotonic() + _TURN_S
        try:
            while True:
                for portion in done.take():
                    flow.take(portion)
                # What is there does not wait for an input that is slow.
                more = bool(ready and source.slow) or flow.pump()
                if ready:
                    chunk = flow.last.take_chunk()
                    self._tell(chunk)
                    for value in chunk:
                        yield value
                elif flow.last.ended:
                    break
                elif not more:
                    await done.wait(_until_s(flow.due_ns))
                if time.monotonic() >= turn_s:
                    await pause()
                    turn_s = time.monotonic() + _TURN_S
            abort = flow.failure is not None
            if flow.failure is not None:
                raise flow.failure
        finally:
            if isinstance(source, AsyncSource):
                await source.stop()
            self.end(abort=abort)


def _heed(token: CancelToken) -> None:
    """End the reading if the scope in which it goes on was cancelled; a task is cancelled by its scope itself."""
    if token.cancelled:
        raise Cancelled("the scope was cancelled while these results were read: no call begins any more")


def _until_s(due_ns: int | None) -> float | None:
    return None if due_ns is None else max(0.0, (due_ns - time.monotonic_ns()) / 1e9)
