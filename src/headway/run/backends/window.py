"""Batches wait in one line here, and at most `workers` pieces of them are out with the workers at a time."""

from __future__ import annotations

import contextvars
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from concurrent.futures import CancelledError
from typing import Any, ClassVar

from headway.run.backends.contract import Backend, Setup
from headway.run.backends.ending import finish_before_exit, forget
from headway.run.batch import Batch, Portion, Spent

__all__ = ["GRACE_S", "Chunk", "Windowed"]

GRACE_S = 1.0
"""How long a call that was told to stop may clean up before it is abandoned."""


class Chunk:
    """Successive calls of a batch that go to one worker together."""

    __slots__ = ("batch", "context", "delivered", "ended", "error", "first", "handle", "items", "sent_ns")

    def __init__(self, batch: Batch, context: contextvars.Context, first: int, items: Sequence[Any]) -> None:
        self.batch = batch
        self.context = context
        self.first = first
        self.items = items
        self.sent_ns = time.monotonic_ns()
        self.handle: Any = None
        """Of the subclass: how it gets at what runs."""
        self.error: BaseException | None = None
        """What its calls get in place of their outcome, since they were stopped."""
        self.ended = False
        self.delivered = False

    def failed(self, error: BaseException, worker: str = "") -> Portion:
        """The portion in which all its calls failed in the same way."""
        spent = Spent(self.sent_ns, 0, time.monotonic_ns(), 0, worker)
        count = len(self.items)
        return Portion(self.batch, self.first, [None] * count, dict.fromkeys(range(count), error), spent)


class _Rest:
    """What no worker has of a batch yet."""

    __slots__ = ("batch", "claimed", "context", "error", "first")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.context = contextvars.copy_context()
        self.first = 0
        self.claimed = False
        self.error: BaseException | None = None

    def drop(self, error: BaseException) -> None:
        if self.claimed or self.batch.claim():
            self.batch.sink(self.batch.failed(error, first=self.first))


class Windowed(Backend):
    """A backend whose workers belong to something else: an event loop, a hub, a cluster, an executor.

    A subclass says how a chunk is begun and stopped, and calls `_finish` when it has ended.

    A chunk is a whole batch only while the line is long: else it is as much as leaves something for every
    worker (guided self-scheduling, Polychronopoulos and Kuck 1987), so calls that wait for one another get a
    worker each if there are as many workers as calls.

    Args:
        workers: How many chunks are out at a time.
        setup: How workers are made.
    """

    _single: ClassVar[bool] = False
    """Whether each call is a chunk of its own."""

    def __init__(self, workers: int, setup: Setup) -> None:
        self.workers = workers
        self._setup = setup
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._line: deque[_Rest] = deque()
        self._calls_in_line = 0
        self._out: set[Chunk] = set()
        # invariant: one thread at most hands out, so that chunks start in order and a sink may submit; what
        # others want done meanwhile it sees under the lock before it stops.
        self._handing_out = False
        self._claiming: _Rest | None = None
        self._closed = False
        self._gone = False
        self._thread: threading.Thread | None = None  # that runs the calls, if it is ours
        finish_before_exit(self)

    @abstractmethod
    def _start(self, chunk: Chunk) -> None:
        """Give a chunk to a worker; must not block. What it raises becomes the outcome of the calls."""

    def _stop_chunk(self, chunk: Chunk, error: BaseException) -> bool:
        """Stop a chunk that is out and not delivered, set its `error`, and say whether that could be done."""
        return False

    def _let_go(self) -> None:
        """All is delivered and nothing more will come. Called once, from the thread that noticed."""

    def submit(self, batch: Batch) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._line.append(_Rest(batch))
            self._calls_in_line += len(batch)
        self._hand_out()

    def stop(self, batch: Batch, error: BaseException) -> bool:
        if not self.stops:
            return False
        self._abandon(error, batch)
        return True

    def resize(self, workers: int) -> None:
        self.workers = workers
        self._hand_out()

    def close(self, *, wait: bool = True, abort: bool = False) -> None:
        with self._lock:
            self._closed = True
        if abort:
            forget(self)  # nobody waits at exit for what is not wanted
            self._abandon(CancelledError())
        self._hand_out()
        # Calls that cannot be stopped are not waited for when their outcome is not wanted.
        if wait and (self.stops or not abort) and self._may_wait():
            with self._changed:
                self._changed.wait_for(lambda: self._gone)
            if self._thread is not None:
                self._thread.join()

    def _give_up(self, chunk: Chunk) -> None:
        """A chunk that was told to stop had its time to clean up."""
        if chunk.error is not None and not chunk.ended:
            self._deliver(chunk, chunk.failed(chunk.error))
            self._hand_out()

    def _may_wait(self) -> bool:
        """Whether this thread is none of those that must go on for the calls to end."""
        return True

    def _abandon(self, error: BaseException, batch: Batch | None = None) -> None:
        """Drop what waits of a batch, or of all, and stop what is out if that is possible."""
        with self._lock:
            dropped = [rest for rest in self._line if batch is None or rest.batch is batch]
            for rest in dropped:
                self._line.remove(rest)
                self._calls_in_line -= len(rest.batch) - rest.first
            if self._claiming is not None and (batch is None or self._claiming.batch is batch):
                self._claiming.error = error
            out = [
                chunk for chunk in self._out if not chunk.ended and (batch is None or chunk.batch is batch)
            ]
        for rest in dropped:
            rest.drop(error)
        for chunk in out:
            self._stop_chunk(chunk, error)

    def _hand_out(self) -> None:
        with self._lock:
            if self._handing_out:
                return
            self._handing_out = True
        while (rest := self._next()) is not None:
            if not rest.claimed:
                rest.claimed = rest.batch.claim()
            chunk = self._cut(rest)
            if chunk is None:
                continue
            try:
                self._start(chunk)
            except BaseException as error:
                self._finish(chunk, chunk.failed(error))

    def _next(self) -> _Rest | None:
        """The head of the line, if a worker is free for it; else this thread hands out no longer."""
        with self._lock:
            if self._line and len(self._out) < self.workers:
                self._claiming = self._line.popleft()
                self._calls_in_line -= len(self._claiming.batch) - self._claiming.first
                return self._claiming
            self._handing_out = False
            over = self._closed and not self._line and all(chunk.delivered for chunk in self._out)
            if not over or self._gone:
                return None
            self._gone = True
        self._let_go()
        with self._changed:
            self._changed.notify_all()
        return None

    def _cut(self, rest: _Rest) -> Chunk | None:
        """What of it goes to a worker now; the remainder goes back to the head of the line."""
        with self._lock:
            self._claiming = None
            left = len(rest.batch) - rest.first
            if not rest.claimed or not left:
                return None
            if rest.error is None:
                # One that is over time must not take others with it.
                single = self._single or (self.stops and rest.batch.timeout_s is not None)
                count = 1 if single else -(-(left + self._calls_in_line) // self.workers)
                items = rest.batch.items
                if count < left or rest.first:
                    items = items[rest.first : rest.first + count]
                chunk = Chunk(rest.batch, rest.context, rest.first, items)
                self._out.add(chunk)
                if count < left:
                    rest.first += count
                    self._line.appendleft(rest)
                    self._calls_in_line += left - count
                return chunk
        rest.drop(rest.error)
        return None

    def _deliver(self, chunk: Chunk, portion: Portion) -> None:
        """Hand over what came of a chunk, if that was not yet done; for a stopped one, the error it got."""
        with self._lock:
            if chunk.ended:
                return
            chunk.ended = True
        if chunk.error is not None:
            portion = chunk.failed(chunk.error, portion.spent.worker)
        try:
            chunk.batch.sink(portion)
        finally:
            chunk.delivered = True

    def _finish(self, chunk: Chunk, portion: Portion) -> None:
        """Deliver and release."""
        try:
            self._deliver(chunk, portion)
        finally:
            self._release(chunk)

    def _release(self, chunk: Chunk) -> None:
        """The worker that had a chunk is free for another."""
        with self._lock:
            self._out.discard(chunk)
        self._hand_out()
