"""Greenlets on a gevent hub: for very many calls that wait in code written for gevent."""

from __future__ import annotations

import contextlib
import functools
import itertools
import queue
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, ClassVar

from headway.errors import InitializerFailed, TimedOut
from headway.run.backends.contract import Setup
from headway.run.backends.ending import forget
from headway.run.backends.window import GRACE_S, Chunk, Windowed
from headway.run.batch import Portion, Spent, run_calls

if TYPE_CHECKING:
    # Its types differ from release to release, and are not there where it is not installed.
    gevent: Any
else:
    import gevent
    import gevent.event
    import gevent.monkey

__all__ = ["Greenlets"]

_thread_id = gevent.monkey.get_original("_thread", "get_ident")


class Greenlets(Windowed):
    """Makes each call a greenlet, with the context variables of the thread that submitted it.

    In a program that gevent has monkey-patched they run in the hub of the thread that opened the backend. Else
    they have a hub in a thread of their own, and only what waits through gevent lets others run meanwhile.

    A call that is stopped is killed, and delivered when it has cleaned up or after a second; one that runs on
    nevertheless keeps its place among the workers until it ends.

    Args:
        workers: At most so many greenlets at a time; None is 1000.
        setup: The initializer runs once, in a greenlet.
    """

    name: ClassVar[str] = "greenlets"
    batch_ns: ClassVar[int] = 0
    stops: ClassVar[bool] = True
    local: ClassVar[bool] = True
    _single: ClassVar[bool] = True

    _numbers = itertools.count(1)

    def __init__(self, workers: int | None = None, setup: Setup = Setup()) -> None:
        super().__init__(workers or 1000, setup)
        self._hub: _Hub | None = None
        if gevent.monkey.is_module_patched("threading"):
            self._hub = _Hub(own=False)
            forget(self)  # the program's hub is the program's
        self._begun: deque[Chunk] = deque()
        self._woken = False
        self._ready: Any = None

    def _start(self, chunk: Chunk) -> None:
        with self._lock:
            if self._hub is None:
                self._hub, self._thread = _start_hub(f"{self._setup.name}-hub-{next(self._numbers)}")
                weakref.finalize(self, self._hub.end).atexit = False
            self._begun.append(chunk)
            if self._woken:
                return
            self._woken = True
        self._hub.call(self._spawn, self._hub)

    def _spawn(self, hub: _Hub) -> None:
        with self._lock:
            self._woken = False
        while self._begun:
            chunk = self._begun.popleft()
            greenlet = gevent.Greenlet(self._run, hub, chunk)
            # A copy each: what one call sets, the next does not see.
            greenlet.gr_context = chunk.context.copy()
            greenlet.rawlink(lambda _, chunk=chunk: self._done(chunk))
            greenlet.start()

    def _done(self, chunk: Chunk) -> None:
        # Subtle: a greenlet that is killed before it began never comes to the place in `_run` that delivers.
        if not chunk.ended:
            self._deliver(chunk, chunk.failed(CancelledError()))
        self._release(chunk)

    def _run(self, hub: _Hub, chunk: Chunk) -> None:
        batch = chunk.batch
        values, errors, started_ns, timer = [None], dict[int, BaseException](), 0, None
        chunk.handle = gevent.getcurrent()
        try:
            if chunk.error is not None:
                raise chunk.error
            if self._setup.initializer is not None:
                self._initialized()
            started_ns = time.monotonic_ns()
            if batch.timeout_s is not None:
                timer = hub.later(batch.timeout_s, self._time_out, hub, chunk)
            values, errors = run_calls(batch.fn, chunk.items, batch.star, batch.kwargs)
        except BaseException as error:
            errors[0] = error
        if timer is not None:
            timer.close()
        spent = Spent(chunk.sent_ns, started_ns, time.monotonic_ns(), 0, hub.name)
        self._deliver(chunk, Portion(batch, chunk.first, values, errors, spent))

    def _initialized(self) -> None:
        if self._ready is None:
            self._ready = gevent.event.AsyncResult()
            assert self._setup.initializer is not None
            try:
                self._setup.initializer(*self._setup.initargs)
                self._ready.set()
            except BaseException as error:
                failed = InitializerFailed(f"the initializer raised {type(error).__name__}: {error}")
                failed.__cause__ = error
                self._ready.set_exception(failed)
        self._ready.get()

    def _stop_chunk(self, chunk: Chunk, error: BaseException) -> bool:
        chunk.error = error
        if self._hub is not None:
            self._hub.call(self._kill, self._hub, chunk)
        return True

    def _time_out(self, hub: _Hub, chunk: Chunk) -> None:
        name = getattr(chunk.batch.fn, "__qualname__", None) or repr(chunk.batch.fn)
        chunk.error = TimedOut(f"{name} was stopped: it ran longer than {chunk.batch.timeout_s:g} s")
        self._kill(hub, chunk)

    def _kill(self, hub: _Hub, chunk: Chunk) -> None:
        if chunk.ended or chunk.handle is None:  # a greenlet that has not begun sees the error when it does
            return
        chunk.handle.kill(block=False)
        hub.later(GRACE_S, self._give_up, chunk)

    def _may_wait(self) -> bool:
        return self._hub is None or self._hub.may_wait()

    def _let_go(self) -> None:
        if self._hub is not None:
            self._hub.end()


class _Hub:
    """A gevent hub, and how other threads get something done there.

    Args:
        own: Whether it keeps its thread, so that waiting there is not waiting for ever. In a program that is
            monkey-patched it must not, or the program would not end.
    """

    def __init__(self, *, own: bool) -> None:
        self._hub: Any = gevent.get_hub()
        self._own = own
        self._thread = _thread_id()
        self._over = gevent.event.Event()
        self._calls: deque[Callable[[], None]] = deque()
        self._waker = self._hub.loop.async_(ref=own)
        self._waker.start(self._make_calls)
        self.name = threading.current_thread().name

    def here(self) -> bool:
        """Whether this is the hub's thread."""
        return bool(_thread_id() == self._thread)

    def may_wait(self) -> bool:
        """Whether this greenlet may wait for others of the hub."""
        return not self.here() or (not self._own and gevent.getcurrent() is not self._hub)

    def call(self, fn: Callable[..., None], *args: Any) -> None:
        """Call something in the hub's thread, where it must not wait; from any thread."""
        if self.here():
            fn(*args)
            return
        self._calls.append(functools.partial(fn, *args))
        self._waker.send()

    def _make_calls(self) -> None:
        while self._calls:
            self._calls.popleft()()

    def later(self, after_s: float, fn: Callable[..., None], *args: Any) -> Any:
        """Call something after a time; from the hub's thread. Closing the timer that is returned prevents it."""
        timer = self._hub.loop.timer(after_s)

        def once() -> None:
            timer.close()
            fn(*args)

        timer.start(once)
        return timer

    def end(self) -> None:
        """Let the hub's thread go, or leave the hub to the program."""
        with contextlib.suppress(ValueError):  # it has ended
            self.call(self._over.set if self._own else self._waker.close)

    def run(self) -> None:
        """Keep this thread until `end`."""
        self._over.wait()
        self._waker.close()
        self._hub.destroy(destroy_loop=True)


def _start_hub(name: str) -> tuple[_Hub, threading.Thread]:
    # No methods: a thread that held the backend would keep one that nobody closes alive for ever.
    made: queue.SimpleQueue[_Hub] = queue.SimpleQueue()

    def run() -> None:
        hub = _Hub(own=True)
        made.put(hub)
        hub.run()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return made.get(), thread
