"""What `map` and a pipeline give: their results, as they are asked for."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from types import TracebackType
from typing import Generic, TypeVar

from headway.errors import UsageError
from headway.run.identity import name_of
from headway.run.reading import Plan, Reading
from headway.run.report import Report, StageReport
from headway.run.stage import Stage

__all__ = ["Results"]

R = TypeVar("R")


class Results(Generic[R]):
    """Results, one for each item, computed while they are read: `for`, `async for`, `next`, `with`.

    Nothing runs before the first is asked for. Work then goes on ahead of the reader, but only so far: a reader who
    stops stops the work, and inputs without end need no more memory than others. To leave early is fine: what has
    not begun never will; use `with` or `close` to say when. After an exception that reached the reader nothing
    more comes.

    Runs on: one thread or one task at a time.
    """

    def __init__(self, plan: Plan, progress: Callable[[int, int | None], None] | None = None) -> None:
        self._reading = Reading(plan, progress)
        self._generator: Generator[R, None, None] | None = None
        self._async_generator: AsyncIterator[R] | None = None

    def __iter__(self) -> Iterator[R]:
        if self._async_generator is not None:
            raise UsageError("these results are already read by `async for`")
        if self._generator is None:
            self._generator = self._reading.generate()
        return self._generator

    def __next__(self) -> R:
        return next(iter(self))

    def __aiter__(self) -> AsyncIterator[R]:
        if self._generator is not None:
            raise UsageError("these results are already read by `for`")
        if self._async_generator is None:
            self._async_generator = self._reading.generate_async()
        return self._async_generator

    async def __anext__(self) -> R:
        return await anext(aiter(self))

    def __len__(self) -> int:
        """How many results there are in all.

        Raises:
            TypeError: It is not known: an input has no length, or failed calls are skipped.
        """
        length = self._reading.plan.length
        if length is None:
            raise TypeError("the number of results is not known: an input has no length, or on_error='skip'")
        return length

    def __length_hint__(self) -> int:
        return self._reading.plan.length or 0

    def __repr__(self) -> str:
        flow, plan = self._reading.flow, self._reading.plan
        steps = plan.asked if flow is None else [(one.fn, one.choice.backend.name) for one in flow.stages]
        what = " | ".join(_shown(fn, on) for fn, on in steps)
        of = "" if plan.length is None else f" of {plan.length}"
        done = "not begun" if flow is None else f"{flow.last.tally.done}{of} done"
        return f"<Results of {what}: {done}{', ended' * (self._reading.ended_s is not None)}>"

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
        self._reading.end(abort=abort)
        if self._generator is None:
            self._generator = self._nothing()
        try:
            self._generator.close()
        except ValueError:
            raise UsageError("these results are being read by another thread; close them there") from None

    def report(self) -> Report:
        """What was done so far: which backend, why, and how time was spent."""
        reading = self._reading
        if reading.began_s is None or reading.flow is None:
            return Report(0.0, [])
        wall_s = (reading.ended_s or time.monotonic()) - reading.began_s
        return Report(wall_s, [_report(stage) for stage in reading.flow.stages])

    def _nothing(self) -> Generator[R, None, None]:
        yield from ()


def _shown(fn: object, on: object) -> str:
    """A function and where it runs, in few words."""
    name = name_of(fn).rpartition("<locals>.")[2]
    return f"{name} on {on if isinstance(on, str) else getattr(on, 'name', type(on).__name__)}"


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
