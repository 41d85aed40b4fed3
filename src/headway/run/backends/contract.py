"""What every backend is: something that takes batches and delivers the outcome of every call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from headway.run.batch import Batch

__all__ = ["Backend", "Setup"]


@dataclass(frozen=True)
class Setup:
    """How workers are made; the same for all backends, each of which uses what concerns it."""

    initializer: Callable[..., object] | None = None
    """Called in each worker before its first call."""
    initargs: tuple[Any, ...] = ()
    memory_bytes: int | None = None
    """What one worker process may allocate; a call that wants more gets a MemoryError."""
    name: str = "headway"
    """Begins the names of threads."""


class Backend(ABC):
    """Runs batches on workers.

    The rules, which tests/run/test_backends*.py keep over all backends:

    - `submit` returns at once, from any thread, and never raises for what is in the batch: a batch that cannot
      be sent is delivered as failed.
    - Just before a worker gets a batch the backend calls `batch.claim()`, once; if that is False it drops the batch.
    - Every call of a claimed batch is delivered exactly once through `batch.sink`, in portions in any order,
      also when a worker dies, the backend is closed, or a call raises SystemExit.
    - At most `workers` calls run at a time.
    - A batch that one worker has must not keep another idle for ever: calls may wait for one another as long as
      there are as many workers as calls.
    """

    name: ClassVar[str]
    """What `on=` calls it."""
    batch_ns: ClassVar[int]
    """How long a batch should run, so that sending it costs little beside it; 0: one call a batch."""
    stops: ClassVar[bool]
    """Whether a running call can be stopped, and so `timeout_s` kept."""
    local: ClassVar[bool]
    """Whether calls run in this process, and see and change its objects."""

    workers: int
    """How many calls may run at a time."""

    @property
    def at_hand(self) -> int:
        """So many workers need not be started before they can do something."""
        return 0

    @abstractmethod
    def submit(self, batch: Batch) -> None:
        """Take a batch. It starts when a worker is free; the order is first come, first served.

        Raises:
            RuntimeError: The backend is closed.
        """

    def stop(self, batch: Batch, error: BaseException) -> bool:
        """Stop what runs of a batch and drop what does not; each call not yet delivered gets `error`.

        Returns:
            Whether it could; False leaves everything as it was.
        """
        return False

    def attend(self, batch: Batch, waits: Callable[[], bool], timeout_s: float | None) -> None:
        """The calling thread waits for a batch and has nothing else to do; what it may help with is done here.

        Args:
            batch: What it waits for.
            waits: Whether it still does.
            timeout_s: How long it may take.
        """
        return

    def expect_no_more(self) -> None:
        """All batches have probably come, and workers need not wait for others; any that comes is run nevertheless."""
        return

    def resize(self, workers: int) -> None:
        """Allow more or fewer calls at a time, from now on. A call that runs is never disturbed."""
        self.workers = workers

    @abstractmethod
    def close(self, *, wait: bool = True, abort: bool = False) -> None:
        """Take no more batches, and let the workers go when all is delivered.

        Args:
            wait: Return only then.
            abort: Do not run what has not started, and stop what runs if that is possible; calls that are
                abandoned are delivered with `concurrent.futures.CancelledError`.
        """

    def describe(self) -> dict[str, object]:
        """What the backend can say of itself for a report, such as the addresses of a cluster."""
        return {}
