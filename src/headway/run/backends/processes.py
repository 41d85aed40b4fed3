"""Calls in worker processes: all cores, calls that can be stopped, and crashes that stay where they are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import ClassVar

from headway.run.backends.contract import Backend, Setup
from headway.run.backends.ending import finish_before_exit, forget
from headway.run.batch import Batch
from headway.run.cores import available_cores
from headway.run.process.reserve import prepare

__all__ = ["Processes"]


class Processes(Backend):
    """Runs calls in processes that start clean: neither forked nor importing the program's `__main__`."""

    name: ClassVar[str] = "processes"
    batch_ns: ClassVar[int] = 4_000_000
    stops: ClassVar[bool] = True
    local: ClassVar[bool] = False

    def __init__(self, workers: int | None = None, setup: Setup | None = None) -> None:
        # In a worker all cores have a worker already.
        self.workers = workers or available_cores()
        setup = setup or Setup()
        if setup.initializer is None and "headway.run.process.pool" not in sys.modules:
            prepare(self.workers, setup.memory_bytes)
        from headway.run.process.pool import Pool

        self._pool = Pool(self.workers, setup)
        finish_before_exit(self)

    @property
    def at_hand(self) -> int:
        return self._pool.at_hand

    def submit(self, batch: Batch) -> None:
        self._pool.submit(batch)

    def stop(self, batch: Batch, error: BaseException) -> bool:
        return self._pool.stop(batch, error)

    def attend(self, batch: Batch, waits: Callable[[], bool], timeout_s: float | None) -> None:
        self._pool.receiver.leaders.attend(batch, waits, timeout_s)

    def resize(self, workers: int) -> None:
        self.workers = workers
        self._pool.resize(workers)

    def close(self, *, wait: bool = True, abort: bool = False) -> None:
        self._pool.close(wait=wait, abort=abort)
        if wait or abort:
            forget(self)
