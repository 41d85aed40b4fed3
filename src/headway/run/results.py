"""What `map` and a pipeline give: their results, as they are asked for."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from headway.errors import UsageError
from headway.run.batch import Portion
from headway.run.feed import Feed
from headway.run.flow import Flow, Stage
from headway.run.report import Report, StageReport
from headway.run.source import Source

if TYPE_CHECKING:
    import asyncio

__all__ = ["Plan", "Results"]

R = TypeVar("R")


class Plan:
    """How to make the flow once somebody reads: in a thread, or in a task of an event loop.

    Args:
        items: Gives one item for each call.
        length: How many, if that is known.
        stages: Makes the stages; is told the event loop if the reader is a task of it, else None.
    """

    def __init__(
        self,
        items: Iterator[Any] | AsyncIterable[Any] | Feed,
        length: int | None,
        stages: Callable[[asyncio.AbstractEventLoop | None], list[Stage]],
    ) -> None:
        self.items = items
        self.length = length
        self.stages = stages


class Results(Generic[R]):
    """Results, one for each item, computed while they are read: `for`, `async for`, `next`, `with`.

    Nothing runs before the first is asked for. Work then goes on ahead of the reader, but only so far: a reader who
    stops stops the work, and inputs without end need no more memory than others. To leave early is fine: what has
    not begun never will; use `with` or `close` to say when. After an exception that reached the reader nothing
    more comes.

    Runs on: one thread or one task at a time.
    """

    def __init__(self, plan: Plan, progress: Callable[[int, int | None], None] | None = None) -> None:
        self._plan = plan
        self._progress = progress
        self._flow: Flow | None = None
        self._began_s: float | None = None
        self._ended_s: float | None = None
        self._read = 0
        self._generator: Generator[R, None, None] | None = None
        self._async_generator: AsyncIterator[R] | None = None

    def __iter__(self) -> Iterator[R]:
        if self._async_generator is not None:
            raise UsageError("these results are already read by `async for`")
        if self._generator is None:
            self._generator = self._generate()
        return self._generator

    def __next__(self) -> R:
        return next(iter(self))

    def __aiter__(self) -> AsyncIterator[R]:
        if self._generator is not None:
            raise UsageError("these results are already read by `for`")
        if self._async_generator is None:
            self._async_generator = self._generate_async()
        return self._async_generator

    async def __anext__(self) -> R:
        return await anext(aiter(self))

    def __len__(self) -> int:
        """How many results there are in all.

        Raises:
            TypeError: It is not known: an input has no length, or failed calls are skipped.
        """
        length = self._plan.length
        if length is None:
            raise TypeError("the number of results is not known: an input has no length, or on_error='skip'")
        return length

    def __length_hint__(self) -> int:
        return self._plan.length or 0

    def __enter__(self) -> Results[R]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whoever was interrupted does not want to wait for anything.
        self._close(abort=kind is not None and not issubclass(kind, Exception))

    async def __aenter__(self) -> Results[R]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._async_generator is not None:
            await self._async_generator.aclose()  # type: ignore[attr-defined]
        self._close()

    def close(self) -> None:
        """Read no more. Calls that have not begun never will; those that run may end, unnoticed."""
        self._close()

    def _close(self, *, abort: bool = False) -> None:
        if self._flow is not None and self._ended_s is None:
            self._end(self._flow, abort=abort)
        if self._generator is None:
            self._generator = self._nothing()
        try:
            self._generator.close()
        except ValueError:
            raise UsageError("these results are being read by another thread; close them there") from None

    def report(self) -> Report:
        """What was done so far: which backend, why, and how time was spent."""
        if self._began_s is None or self._flow is None:
            return Report(0.0, [])
        wall_s = (self._ended_s or time.monotonic()) - self._began_s
        return Report(wall_s, [_report(stage) for stage in self._flow.stages])

    def _nothing(self) -> Generator[R, None, None]:
        yield from ()

    def _open(
        self, put: Callable[[Portion], None], source: Source, loop: asyncio.AbstractEventLoop | None
    ) -> Flow:
        self._flow = Flow(source, self._plan.stages(loop), put)
        self._began_s = time.monotonic()
        return self._flow

    def _end(self, flow: Flow, *, abort: bool) -> None:
        self._ended_s = time.monotonic()
        # Nobody waits: what still runs of a flow that was left is of no interest to its reader.
        flow.close(wait=False, abort=abort or flow.busy)
        if self._progress is not None:
            self._progress(self._read, self._plan.length)

    def _tell(self, chunk: list[Any]) -> None:
        self._read += len(chunk)
        if self._progress is not None:
            self._progress(self._read, self._plan.length)

    def _generate(self) -> Generator[R, None, None]:
        if isinstance(self._plan.items, AsyncIterable):
            raise UsageError(
                "an asynchronous input can only be read by `async for`",
                hint="async for result in headway.map(...): ...",
            )
        done: queue.SimpleQueue[Portion | None] = queue.SimpleQueue()
        items = self._plan.items
        source = (
            items.source(lambda: done.put(None))
            if isinstance(items, Feed)
            else Source(items, self._plan.length)
        )
        flow = self._open(done.put, source, None)
        ready = flow.last.ready
        abort = True
        try:
            while True:
                with contextlib.suppress(queue.Empty):
                    while True:
                        if (portion := done.get_nowait()) is not None:
                            flow.take(portion)
                flow.pump()
                if ready:
                    chunk = flow.last.take_chunk()
                    self._tell(chunk)
                    yield from chunk
                elif flow.last.ended:
                    break
                else:
                    with contextlib.suppress(queue.Empty):
                        if (portion := done.get(timeout=_until_s(flow.due_ns))) is not None:
                            flow.take(portion)
            abort = flow.failure is not None
            if flow.failure is not None:
                raise flow.failure
        except GeneratorExit:
            abort = False
            raise
        finally:
            self._end(flow, abort=abort)

    async def _generate_async(self) -> AsyncIterator[R]:
        # A program without tasks does not pay for the import of asyncio.
        from headway.run.task_reader import AsyncQueue, AsyncSource, running_loop

        loop = running_loop()
        done = AsyncQueue(loop)
        items = self._plan.items
        source: Source
        if isinstance(items, AsyncIterable):
            source = AsyncSource(items, self._plan.length, done.wake)
        elif isinstance(items, Feed):
            source = items.source(done.wake_from_thread)
        else:
            source = Source(items, self._plan.length)
        flow = self._open(done.put, source, loop)
        ready = flow.last.ready
        abort = True
        try:
            while True:
                for portion in done.take():
                    flow.take(portion)
                flow.pump()
                if ready:
                    chunk = flow.last.take_chunk()
                    self._tell(chunk)
                    for value in chunk:
                        yield value
                elif flow.last.ended:
                    break
                else:
                    await done.wait(_until_s(flow.due_ns))
            abort = flow.failure is not None
            if flow.failure is not None:
                raise flow.failure
        finally:
            if isinstance(source, AsyncSource):
                await source.stop()
            if self._ended_s is None:
                self._end(flow, abort=abort)


def _until_s(due_ns: int | None) -> float | None:
    return None if due_ns is None else max(0.0, (due_ns - time.monotonic_ns()) / 1e9)


def _report(stage: Stage) -> StageReport:
    tally, fn = stage.tally, stage.fn
    return StageReport(
        function=getattr(fn, "__qualname__", type(fn).__qualname__),
        on=stage.choice.backend.name,
        workers=stage.choice.backend.workers,
        why=stage.choice.why(),
        calls=tally.done,
        failed=tally.failed,
        retried=tally.retried,
        batches=tally.batches,
        queued_s=tally.queued_ns / 1e9,
        sent_s=tally.sent_ns / 1e9,
        running_s=tally.running_ns / 1e9,
        cpu_s=tally.cpu_ns / 1e9,
        returned_s=tally.returned_ns / 1e9,
        calls_by_worker=dict(tally.workers),
    )
