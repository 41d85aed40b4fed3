"""Threads of this process: for calls that wait, that release the GIL, or on a build that has none."""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import os
import queue
import sys
import threading
from collections import deque
from concurrent.futures import CancelledError
from typing import ClassVar

from headway.errors import InitializerFailed
from headway.run.backends.contract import Backend, Setup
from headway.run.backends.ending import finish_before_exit, forget
from headway.run.backends.hands import Duty, some_wait
from headway.run.backends.running import Running, Single, Watch, running
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
        self._queue: queue.SimpleQueue[Single | Running | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: dict[int, Duty] = {}
        self._numbers = itertools.count()
        # A mark for each thread that waits for a batch and was not called; whoever puts something into the queue takes
        # one, and by that has called a thread. A deque, and no number with a lock: a thread that gets a lock for which
        # it had to wait holds it while it waits for the GIL, and hundreds of threads all end up in that line.
        # invariant: a mark is there before its thread looks at the queue for the last time, so no batch waits while a
        # thread sleeps. A busy thread may be first, or take another's mark: then there are too few marks, and a thread
        # more than needed may be started.
        self._idle: deque[None] = deque()
        self._beginning = False
        self._no_more = False
        self._closed = False
        self._watch = Watch(self._hand_out)
        self._initializer_failed: InitializerFailed | None = None
        finish_before_exit(self)

    @property
    def at_hand(self) -> int:
        return len(self._threads) + (some_wait() if self._setup.initializer is None else 0)

    def submit(self, batch: Batch) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            called = self._put(running(batch, contextvars.copy_context()))
            made = None if called else self._grow()
        if made is not None:
            self._start(*made)

    def _put(self, work: Single | Running | None) -> bool:
        self._queue.put(work)
        return self._take_mark()

    def _take_mark(self) -> bool:
        if not self._idle:
            return False
        try:
            self._idle.pop()
        except IndexError:  # since a moment ago
            return False
        return True

    def _grow(self) -> tuple[int, Duty] | None:
        """Make one more thread, to be started, if there may be one; the caller has the lock.

        New ones are started one at a time, each by the one before, so that nobody waits for many of them.
        """
        if len(self._threads) >= self.workers:
            return None
        if not self._beginning or (self._setup.initializer is None and some_wait()):
            return self._make()
        return None

    def _start(self, number: int, thread: Duty) -> None:
        """Start what was made. Better without the lock, for which the thread that begins would have to wait."""
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

    def expect_no_more(self) -> None:
        # Else it would be woken only to be told to go.
        self._no_more = self._setup.initializer is None

    def resize(self, workers: int) -> None:
        with self._lock:
            self.workers = workers
            made = None if self._queue.empty() else self._grow()
            for _ in range(len(self._threads) - workers):
                self._put(None)
        if made is not None:
            self._start(*made)

    def close(self, *, wait: bool = True, abort: bool = False) -> None:
        with self._lock:
            again, self._closed = self._closed, True
            abandoned = self._take_all() if abort else []
            # From now on none starts the next, and calls may wait for one another.
            needed = 0 if again else min(self.workers - len(self._threads), self._queue.qsize())
            for _ in range(needed):
                self._start(*self._make())
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
        for _ in range(len(self._threads)):
            self._put(None)

    def _others(self) -> list[Duty]:
        """The threads but the one that asks; the caller has the lock."""
        me = threading.current_thread()
        return [duty for duty in list(self._threads.values()) if duty.thread is not me]

    def _take_all(self) -> list[Single | Running]:
        taken: list[Single | Running] = []
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
                if self._no_more and not new and self._left(number):
                    return
                self._idle.append(None)
                try:
                    work = self._queue.get_nowait()  # what was put before the mark has called nobody
                except queue.Empty:
                    work = self._queue.get()
                else:
                    self._take_mark()
            if new:
                new = False
                if work is not None:
                    work.claim()  # first of all: whoever submitted it goes on when this thread waits for the lock
                self._begun(0)
            if work is None:
                if self._closed:
                    del self._threads[number]
                    return
                with self._lock:
                    if len(self._threads) > self.workers:
                        del self._threads[number]
                        return
                continue
            if type(work) is Single and self._initializer_failed is None:  # as `_run`, for the most common
                if work._claimed or work.claim():
                    work.run(name)
            else:
                self._run(work, name)
            # Else an idle thread keeps the last arguments, and what a batch holds, alive.
            del work

    def _left(self, number: int) -> bool:
        """Take the thread out, unless there is something to do."""
        with self._lock:  # who puts something looks how many threads there are under the same lock
            if not self._queue.empty():
                return False
            del self._threads[number]
            return True

    def _begun(self, mine: int) -> None:
        """This thread has begun: start another if more than `mine` batches wait."""
        self._beginning = False
        # Subtle: with a GIL, who puts something after this look sees that no thread is beginning.
        if _GIL and (self._queue.qsize() <= mine or len(self._threads) >= self.workers):
            return
        with self._lock:
            full = self._beginning or self._closed or len(self._threads) >= self.workers
            if full or self._queue.qsize() <= mine:
                return
            made = self._make()
        with contextlib.suppress(RuntimeError):  # no thread can be had: those that run will do it
            self._start(*made)

    def _run(self, work: Single | Running, name: str) -> None:
        if self._initializer_failed is not None:
            self._fail(work, self._initializer_failed)
        elif not work.claim():
            return
        elif isinstance(work, Running):
            self._watch.add(work)
            work.run(name)
            self._watch.remove(work)
        else:
            work.run(name)

    def _fail(self, work: Single | Running, error: BaseException) -> None:
        if work.claim():
            work.fail(error)

    def _hand_out(self, works: list[Running]) -> None:
        """Calls that were taken from a batch that is stuck; they go first, with threads of their own if need be."""
        with self._lock:
            rest = self._take_all() if self._closed else []
            for work in works:
                if not self._put(work) and len(self._threads) < self.workers:
                    self._start(*self._make())
            for waiting in rest:
                self._put(waiting)
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
