"""A batch that a thread runs; from one of several calls others can take what it has not begun."""

from __future__ import annotations

import contextvars
import operator
import threading
import time
from collections.abc import Callable
from typing import Any

from headway.run.batch import Batch, Portion, Spent, always, run_calls

__all__ = ["Running", "Single", "Watch", "running"]

LOOK_S = 0.01
"""A batch that made no progress between two looks is shared with other threads."""


_made = tuple.__new__
"""A named tuple's own `__new__` is a function in Python, which costs as much as the rest of it."""
_NO_ERRORS: dict[int, BaseException] = {}
"""Nobody changes the errors of a portion."""


def running(batch: Batch, context: contextvars.Context) -> Single | Running:
    """What a thread is to run."""
    return Single(batch, context) if len(batch.items) == 1 else Running(batch, 0, list(batch.items), context)


class Single:
    """A batch of one call, of which nothing can be taken away.

    Args:
        batch: The batch.
        context: In which it runs.
    """

    __slots__ = ("_claimed", "batch", "context", "failed")

    def __init__(self, batch: Batch, context: contextvars.Context) -> None:
        self.batch = batch
        self.context = context
        self._claimed: bool | None = True if batch.claim is always else None

    def claim(self) -> bool:
        """Whether somebody still wants it; asked once."""
        if self._claimed is None:
            self._claimed = self.batch.claim()
        return self._claimed

    def fail(self, error: BaseException) -> None:
        """Deliver the call as failed; it was not begun."""
        self.failed = True
        self.batch.sink(self.batch.failed(error))

    def run(self, worker: str) -> None:
        """Run it, and deliver what came of it."""
        batch, value, errors = self.batch, None, _NO_ERRORS
        fn, item, kwargs = batch.fn, batch.items[0], batch.kwargs
        cpu_ns, started_ns = time.thread_time_ns(), time.monotonic_ns()
        try:
            if batch.star or kwargs:
                value = self.context.run(fn, *(item if batch.star else (item,)), **kwargs)
            else:
                value = self.context.run(fn, item)
        except BaseException as error:  # whatever a call raises is its outcome, SystemExit too
            errors = {0: error}
            self.failed = True  # for the tracer; unset otherwise, since that costs nothing
        ended_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns() - cpu_ns
        spent = _made(Spent, (started_ns, started_ns, ended_ns, cpu_ns, worker))
        batch.sink(_made(Portion, (batch, 0, [value], errors, spent)))


class Running:
    """Successive calls of a batch, run by one thread and watched by another.

    The thread takes calls from an iterator. To take the rest away from it, the watcher empties the iterator: with a
    GIL that is one step, so each call is run by exactly one of them, and the thread's loop pays nothing for it.

    Args:
        batch: The batch.
        first: The number of the first of these calls in it.
        items: The calls.
        context: In which they run.
    """

    def __init__(self, batch: Batch, first: int, items: list[Any], context: contextvars.Context) -> None:
        self.batch = batch
        self.first = first
        self.context = context
        self._items = items
        self._rest = iter(items)
        self._values: list[Any] = []
        self._errors: dict[int, BaseException] = {}
        self._delivered = 0
        self._lock = threading.Lock()  # around the delivery of portions
        self._claimed: bool | None = True if first else None  # with the calls before it
        self.failed = False
        self._seen = -1
        self._began_ns = 0
        self._worker = ""
        self._sent_ns = 0

    def claim(self) -> bool:
        """Whether somebody still wants it; asked once for the whole batch."""
        if self._claimed is None:
            self._claimed = self.batch.claim()
        return self._claimed

    def fail(self, error: BaseException) -> None:
        """Deliver all calls as failed, none of which was begun."""
        self.failed = True
        count = len(self._items)
        spent = Spent(0, 0, time.monotonic_ns(), 0, "")
        self.batch.sink(
            Portion(self.batch, self.first, [None] * count, dict.fromkeys(range(count), error), spent)
        )

    def run(self, worker: str) -> None:
        """Run what nobody takes away, and deliver it."""
        self._worker, self._sent_ns = worker, time.monotonic_ns()
        cpu_ns, self._began_ns = time.thread_time_ns(), time.monotonic_ns()
        batch = self.batch
        self.context.run(
            run_calls,
            batch.fn,
            self._rest,
            batch.star,
            batch.kwargs,
            values=self._values,
            errors=self._errors,
        )
        self.failed = bool(self._errors)
        self._deliver(time.thread_time_ns() - cpu_ns)

    def _deliver(self, cpu_ns: int) -> None:
        with self._lock:
            first, values = self._delivered, self._values[self._delivered :]
            self._delivered += len(values)
        if values:
            errors = {place - first: error for place, error in list(self._errors.items()) if place >= first}
            spent = Spent(self._sent_ns, self._began_ns, time.monotonic_ns(), cpu_ns, self._worker)
            self.batch.sink(Portion(self.batch, self.first + first, values, errors, spent))

    def stuck(self) -> bool:
        """Whether no call was begun since the last look, though some wait."""
        left = operator.length_hint(self._rest)
        stuck = left == self._seen and left > 0
        self._seen = left
        return stuck

    def split(self) -> list[Running]:
        """Deliver what has ended, and take away what was not begun: a run of its own for each such call."""
        left = list(self._rest)
        # The share of these calls in the thread's time is not known before it ends.
        self._deliver(0)
        start = self.first + len(self._items) - len(left)
        # A context can be entered by one thread at a time.
        return [
            Running(self.batch, start + place, [item], self.context.copy()) for place, item in enumerate(left)
        ]


class Watch:
    """Looks after the batches that run on the threads of a backend, from a thread of its own.

    Args:
        hand_out: Is given calls that were taken away from a batch that was stuck.
    """

    def __init__(self, hand_out: Callable[[list[Running]], None]) -> None:
        self._hand_out = hand_out
        self._lock = threading.Lock()
        self._running: set[Running] = set()
        self._some = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, running: Running) -> None:
        """Begin to look after a batch."""
        with self._lock:
            self._running.add(running)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="headway-watch", daemon=True)
                self._thread.start()
            if len(self._running) == 1:
                self._some.set()

    def remove(self, running: Running) -> None:
        """The batch has ended."""
        with self._lock:
            self._running.discard(running)
            if not self._running:
                self._some.clear()

    def _look(self) -> None:
        while True:
            # Without work the thread ends: a backend that nobody uses any more keeps nothing alive.
            if not self._some.wait(10):
                with self._lock:
                    if not self._running:
                        self._thread = None
                        return
            time.sleep(LOOK_S)
            with self._lock:
                running = list(self._running)
            for one in running:
                if one.stuck():
                    self._hand_out(one.split())
