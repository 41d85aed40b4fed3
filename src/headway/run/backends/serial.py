"""One call after the other, in the thread that asks: to debug, to compare, and for calls too short to send."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, ClassVar

from headway.errors import CallError
from headway.run.backends.contract import Backend, Setup
from headway.run.batch import Batch, Portion, Spent, run_calls, run_portion

__all__ = ["NotBegun", "Serial"]


class NotBegun(CallError):
    """A call of a batch of a flow was left for later, since those before it took long; the flow begins it again."""


class Serial(Backend):
    """Runs each batch in `submit`, before it returns.

    A KeyboardInterrupt goes to the caller of `submit` at once: it is the caller's own.
    """

    name: ClassVar[str] = "serial"
    batch_ns: ClassVar[int] = 1_000_000
    stops: ClassVar[bool] = False
    local: ClassVar[bool] = True

    def __init__(self, workers: int | None = None, setup: Setup = Setup()) -> None:
        self.workers = 1
        self._closed = False
        if setup.initializer is not None:
            setup.initializer(*setup.initargs)

    def submit(self, batch: Batch) -> None:
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if not batch.claim():
            return
        sent_ns = time.monotonic_ns()
        if len(batch) == 1 or batch.origin is None:
            batch.sink(run_portion(batch, sent_ns, "caller", interruptible=True))
            return
        # What was begun with short calls must not hold back their results when a long one comes.
        until_ns = sent_ns + 2 * self.batch_ns

        def in_time() -> Iterator[Any]:
            for item in batch.items:
                yield item
                if clock() > until_ns:
                    return

        clock = time.monotonic_ns
        cpu_ns = time.thread_time_ns()
        values, errors = run_calls(batch.fn, in_time(), batch.star, batch.kwargs, interruptible=True)
        spent = Spent(sent_ns, sent_ns, clock(), time.thread_time_ns() - cpu_ns, "caller")
        batch.sink(Portion(batch, 0, values, errors, spent))
        if len(values) < len(batch):
            batch.sink(batch.failed(NotBegun("the calls before it took long"), first=len(values)))

    def resize(self, workers: int) -> None:
        """It has always one worker."""

    def close(self, *, wait: bool = True, abort: bool = False) -> None:
        self._closed = True
