"""What a map, a scope or an executor has of the backend of another executor of ours."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

from headway.run.backends.contract import Backend
from headway.run.batch import Batch, Portion

__all__ = ["Lent"]


class _Loan:
    """A batch that was passed on, and how many of its calls have not come back."""

    __slots__ = ("batch", "claim", "claimed", "dropped", "left", "sink")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.sink = batch.sink
        self.claim = batch.claim
        self.left = len(batch)
        self.claimed = False
        self.dropped = False


class Lent(Backend):
    """Passes batches on to a backend that belongs to someone else. `close` ends what came through here, no more.

    Args:
        backend: It.
        timeout_s: For calls that have no time limit of their own.
        resizes: Whether the number of workers is not the owner's to say, who has left it to `auto`.
    """

    def __init__(self, backend: Backend, timeout_s: float | None = None, *, resizes: bool = False) -> None:
        # What a backend's class says of it, this one says of itself.
        vars(self).update(
            name=backend.name, batch_ns=backend.batch_ns, stops=backend.stops, local=backend.local
        )
        self.workers = backend.workers
        self._backend = backend
        self._timeout_s = timeout_s
        self._resizes = resizes
        self._changed = threading.Condition()
        self._open: set[_Loan] = set()
        self._closed = False

    @property
    def at_hand(self) -> int:
        return self._backend.at_hand

    def submit(self, batch: Batch) -> None:
        loan = _Loan(batch)
        with self._changed:
            if self._closed:
                raise RuntimeError("cannot submit: the backend is closed")
            self._open.add(loan)
        batch.sink = lambda portion: self._put(loan, portion)
        batch.claim = lambda: self._claim(loan)
        if batch.timeout_s is None:
            batch.timeout_s = self._timeout_s
        try:
            self._backend.submit(batch)
        except BaseException:
            self._end(loan)
            raise

    def _claim(self, loan: _Loan) -> bool:
        with self._changed:
            if loan.dropped:
                return False
            loan.claimed = True
        wanted = loan.claim()
        if not wanted or not loan.left:
            self._end(loan)
        return wanted

    def _put(self, loan: _Loan, portion: Portion) -> None:
        try:
            loan.sink(portion)
        finally:
            loan.left -= len(portion.values)
            if loan.left <= 0:
                self._end(loan)

    def _end(self, loan: _Loan) -> None:
        with self._changed:
            self._open.discard(loan)
            self._changed.notify_all()

    def stop(self, batch: Batch, error: BaseException) -> bool:
        return self._backend.stop(batch, error)

    def resize(self, workers: int) -> None:
        if self._resizes:
            self._backend.resize(workers)
            self.workers = self._backend.workers

    def close(self, *, wait: bool = True, abort: bool = False) -> None:
        with self._changed:
            self._closed = True
            loans = list(self._open)
        if abort:
            error = CancelledError("the calls of a map or scope that has ended")
            for loan in loans:
                if not self._backend.stop(loan.batch, error):
                    self._drop(loan, error)
        # Calls that cannot be stopped are not waited for when their outcome is not wanted.
        if wait and (self.stops or not abort):
            with self._changed:
                self._changed.wait_for(lambda: not self._open)

    def _drop(self, loan: _Loan, error: BaseException) -> None:
        """Have a batch not begin, if it has not yet begun."""
        with self._changed:
            if loan.claimed or loan.dropped:
                return
            loan.dropped = True
        try:
            if loan.claim():
                loan.sink(loan.batch.failed(error))
        finally:
            self._end(loan)

    def describe(self) -> dict[str, object]:
        return self._backend.describe()
