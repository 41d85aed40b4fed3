"""One call after the other, in the thread that asks: to debug, to compare, and for calls too short to send."""

from __future__ import annotations

import time
from typing import ClassVar

from headway.run.backends.contract import Backend, Setup
from headway.run.batch import Batch, run_portion

__all__ = ["Serial"]


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
        if batch.claim():
            batch.sink(run_portion(batch, time.monotonic_ns(), "caller", interruptible=True))

    def resize(self, workers: int) -> None:
        """It has always one worker."""

    def close(self, *, wait: bool = True, abort: bool = False) -> None:
        self._closed = True
