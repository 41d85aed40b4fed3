"""Any executor that speaks PEP 3148, such as one of `concurrent.futures`, of MPI or of a cluster."""

from __future__ import annotations

import os
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from headway.errors import WorkerDied
from headway.run.backends.calls import Calls, Outcomes, make
from headway.run.backends.contract import Backend, Setup
from headway.run.backends.window import Chunk, Windowed
from headway.run.batch import Portion
from headway.run.cores import available_cores

if TYPE_CHECKING:
    from headway.run.executor import Executor

__all__ = ["Borrowed", "BorrowedThreads", "Submits", "borrow"]


@runtime_checkable
class Submits(Protocol):
    """What is needed of an executor."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call `fn(*args, **kwargs)` at some time; returns a future with `add_done_callback` and `cancel`."""


class Borrowed(Windowed):
    """Runs calls on an executor that belongs to the caller, and that `close` therefore leaves open.

    Args:
        executor: It.
        workers: How many of its workers to use; None is all of them.
        setup: The initializer runs in each of its threads or processes before the first of our calls.
        by_value: Whether what belongs to `__main__` goes by value, since its workers have another `__main__`.
    """

    name: ClassVar[str] = "executor"
    batch_ns: ClassVar[int] = 10_000_000
    stops: ClassVar[bool] = False
    local: ClassVar[bool] = False

    def __init__(
        self,
        executor: Submits,
        workers: int | None = None,
        setup: Setup = Setup(),
        *,
        by_value: bool = False,
    ) -> None:
        own = getattr(executor, "_max_workers", None)
        super().__init__(workers or (own if isinstance(own, int) else None) or available_cores(), setup)
        self._executor = executor
        self._key = os.urandom(8).hex()
        self._by_value = by_value

    def _start(self, chunk: Chunk) -> None:
        calls = Calls(chunk, self._setup, self._key, by_value=self._by_value)
        chunk.handle = self._submit(chunk, calls)
        chunk.handle.add_done_callback(lambda future: self._ended(chunk, future))

    def _submit(self, chunk: Chunk, calls: Calls) -> Future[Any]:
        future: Future[Any] = self._executor.submit(make, calls)
        return future

    def _ended(self, chunk: Chunk, future: Future[Outcomes]) -> None:
        try:
            portion = _portion(chunk, future)
        except BaseException as error:
            portion = chunk.failed(error)
        self._finish(chunk, portion)

    def _stop_chunk(self, chunk: Chunk, error: BaseException) -> bool:
        # Calls that the executor has not begun can be taken back.
        if chunk.handle is None or not chunk.handle.cancel():
            return False
        chunk.error = error
        return True

    def describe(self) -> dict[str, object]:
        return {"executor": f"{type(self._executor).__module__}.{type(self._executor).__qualname__}"}


class BorrowedThreads(Borrowed):
    """As `Borrowed`, for an executor of threads: calls see the context variables of who submitted them."""

    batch_ns: ClassVar[int] = 1_000_000
    local: ClassVar[bool] = True

    def _submit(self, chunk: Chunk, calls: Calls) -> Future[Any]:
        return self._executor.submit(chunk.context.copy().run, make, calls)  # type: ignore[no-any-return]


class BorrowedOurs(Borrowed):
    """As `Borrowed`, for an executor of headway. Its retries are for whoever has the calls, and knows each of them."""

    def __init__(self, executor: Executor, workers: int | None, setup: Setup) -> None:
        super().__init__(executor, workers, setup, by_value=True)
        self._ours = executor
        # A limit of the executor is for one call, and what is submitted to it is a chunk.
        vars(self)["_single"] = executor._options.timeout_s is not None

    def _submit(self, chunk: Chunk, calls: Calls) -> Future[Any]:
        return self._ours._ask(make, (calls,), {}, chunk.batch.fn, None)


def borrow(executor: Submits, workers: int | None = None, setup: Setup = Setup()) -> Backend:
    """Wrap an executor in the class that fits it; of one of ours, its backend."""
    from headway.run.executor import Executor  # which has backends

    if isinstance(executor, Executor):
        lent = executor._lend()
        # How many calls run at a time, and what they begin with, is for whoever made the workers to say.
        plain = setup.initializer is None and setup.memory_bytes is None
        if lent is not None and plain and (workers is None or workers >= lent.workers):
            return lent
        return BorrowedOurs(executor, workers, setup)
    # Subtle: an InterpreterPoolExecutor is a ThreadPoolExecutor, but its calls see nothing of ours.
    threads = isinstance(executor, ThreadPoolExecutor) and "Interpreter" not in type(executor).__name__
    return (BorrowedThreads if threads else Borrowed)(executor, workers, setup)


def _portion(chunk: Chunk, future: Future[Outcomes]) -> Portion:
    try:
        return future.result().portion(chunk)
    except BrokenExecutor as error:
        died = WorkerDied(
            f"the executor broke while it had {len(chunk.items)} of our calls: {error}",
            hint="a BrokenExecutor runs nothing more; make a new one, or use on='processes', which goes on",
        )
        died.__cause__ = error
        return chunk.failed(died)
