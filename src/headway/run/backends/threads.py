"""Threads of this process: for calls that wait, that release the GIL, or on a build that has none."""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import os
import queue
import sys
import threading
from concurrent.futures import CancelledError
from typing import ClassVar

from headway.errors import InitializerFailed
from headway.run.backends.contract import Backend, Setup
from headway.run.backends.ending import finish_before_exit, forget
from headway.run.backends.hands import Duty, some_wait
from headway.run.backends.running import Running, Watch
from headway.run.batch import Batch

__all__ = ["Threads"]

_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()


class Threads(Backend):
    """A pool of threads, each started when there is a batch and no idle thread.

    The threads are daemons and a hook at exit waits for them, so that a map that was abandoned does not hold up
    the end of the program; without an initializer they come from those that earlier pools have left. Each call sees
    the context variables of the thread that submitted it.

    Args:
        workers: At most so many threads; None is 5 for each core and not more than 32, for calls that wait.
        setup: Of which the initializer concerns threads.
    """

    name: ClassVar[str] = "threads"
    # Without a GIL a batch cannot be shared by emptying an iterator, so there is nothing in it to share.
    batch_ns: ClassVar[int] = 1_000_000 if _GIL else 0
    stops: ClassVar[bool] = False
    local: ClassVar[bool] = True

    _pools = itertools.count(1)

    def __init__(self, workers: int | None = None, setup: Setup = Setup()) -> None:
        self.workers = workers or min(32, 5 * (os.cpu_count() or 1))
        self._setup = setup
        self._name = f"{setup.name}-{next(self._pools)}"
        # None asks the thread that gets it to leave, or to see whether it should.
        self._queue: queue.SimpleQueue[Running | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: dict[int, Duty] = {}
        self._numbers = itertools.count()
        # invariant: no more than the threads that wait for a batch and have not been called. Whoever puts
        # something into the queue calls one, under the lock; a busy thread may take it first.
        self._idle = 0
        self._beginning = False
        self._closed = False
        self._watch = Watch(self._hand_out)
        self._initializer_failed: InitializerFailed | None = None
        finish_before_exit(self)

    def submit(self, batch: Batch) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if not self._put(Running(batch, 0, list(batch.items), contextvars.copy_context())):
                self._grow()

    def _put(self, work: Running | None) -> bool:
        self._queue.put(work)
        if not self._idle:
            return False
        self._idle -= 1
        return True

    def _grow(self) -> None:
        """Have one more thread, if there may be; the caller has the lock.

        New ones are started one at a time, each by the one before, so that nobody waits for many of them.
        """
        there = some_wait() and self._setup.initializer is None
        if (there or not self._beginning) and len(self._threads) < self.workers:
            self._start()

    def _start(self) -> None:
        number, thread = self._make()
        try:
            thread.start()
        except RuntimeError:
            self._unmake(number)
            if not self._threads:  # otherwise those that run will do it
                raise

    def _make(self) -> tuple[int, Duty]:
        number = next(self._numbers)
        name = f"{self._name}-{number + 1}"
        thread = Duty(self._work, (number,), name, last=self._setup.initializer is not None)
        self._threads[number] = thread
        self._beginning = True
        return number, thread

    def _unmake(self, number: int) -> None:
        self._beginning = False
        del self._threads[number]

    def resize(self, workers: int) -> None:
        with self._lock:
            self.workers = workers
            if not self._queue.empty():
                self._grow()
            for _ in range(len(self._threads) - workers):
                self._put(None)

    def close(self, *, wait: bool = True, abort: bool = False) -> None:
        with self._lock:
            again, self._closed = self._closed, True
            abandoned = self._take_all() if abort else []
            # From now on none starts the next, and calls may wait for one another.
            needed = 0 if again else min(self.workers - len(self._threads), self._queue.qsize())
            for _ in range(needed):
                self._start()
            self._let_go()
            threads = self._others()
        for work in abandoned:
            self._fail(work, CancelledError())
        if abort or not self._threads:
            forget(self)
        while wait and not abort and threads:
            for thread in threads:
                thread.join()
            with self._lock:
                threads = self._others()  # that those have started

    def _let_go(self) -> None:
        """Have all threads leave, when all batches are done; the caller has the lock."""
        # Behind all batches, one for each thread; a surplus one, from `resize`, does no harm.
        for _ in self._threads:
            self._put(None)

    def _others(self) -> list[Duty]:
        """The threads but the one that asks; the caller has the lock."""
        me = threading.current_thread()
        return [duty for duty in self._threads.values() if duty.thread is not me]

    def _take_all(self) -> list[Running]:
        taken = []
        with contextlib.suppress(queue.Empty):
            while True:
                if (work := self._queue.get_nowait()) is not None:
                    taken.append(work)
        return taken

    def _work(self, number: int) -> None:
        name = threading.current_thread().name
        new = self._setup.initializer is None
        if not new:
            self._begun(1)
            self._initialize()
        while True:
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                with self._lock:
                    # Subtle: under the lock, since what was put meanwhile has called nobody.
                    if self._queue.empty():
                        self._idle += 1
                work = self._queue.get()
            if new:
                new = False
                if work is not None:
                    work.claim()  # first of all: whoever submitted it goes on when this thread waits for the lock
                self._begun(0)
            if work is None:
                with self._lock:
                    if self._closed or len(self._threads) > self.workers:
                        del self._threads[number]
                        return
                continue
            self._run(work, name)
            # Else an idle thread keeps the last arguments, and what a batch holds, alive.
            del work

    def _begun(self, mine: int) -> None:
        """This thread has begun: start another if more than `mine` batches wait."""
        self._beginning = False
        # Subtle: with a GIL, who puts something after this look sees that no thread is beginning.
        if _GIL and self._queue.qsize() <= mine:
            return
        with self._lock:
            full = self._beginning or self._closed or len(self._threads) >= self.workers
            if full or self._queue.qsize() <= mine:
                return
            number, thread = self._make()
        # Not under the lock, for which the thread that begins would have to wait.
        try:
            thread.start()
        except RuntimeError:
            with self._lock:
                self._unmake(number)

    def _run(self, work: Running, name: str) -> None:
        if self._initializer_failed is not None:
            self._fail(work, self._initializer_failed)
        elif not work.claim():
            return
        elif len(work.batch) > 1:
            self._watch.add(work)
            work.run(name)
            self._watch.remove(work)
        else:
            work.run(name)

    def _fail(self, work: Running, error: BaseException) -> None:
        if work.claim():
            work.fail(error)

    def _hand_out(self, works: list[Running]) -> None:
        """Calls that were taken from a batch that is stuck; they go first, with threads of their own if need be."""
        with self._lock:
            rest = self._take_all() if self._closed else []
            for work in works:
                if not self._put(work) and len(self._threads) < self.workers:
                    self._start()
            for work in rest:
                self._put(work)
            if self._closed:
                self._let_go()

    def _initialize(self) -> None:
        if self._setup.initializer is None:
            return
        try:
            self._setup.initializer(*self._setup.initargs)
        except BaseException as error:
            failed = InitializerFailed(f"the initializer raised {type(error).__name__}: {error}")
            failed.__cause__ = error
            self._initializer_failed = failed
