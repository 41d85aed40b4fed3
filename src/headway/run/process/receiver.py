"""The receiver: one thread of a pool that takes what workers send, and notices how they end."""

from __future__ import annotations

import os
import select
import threading
import time
from typing import TYPE_CHECKING, Any

from headway.run.batch import Portion, Spent
from headway.run.process import wire
from headway.run.process.deaths import Death, bury
from headway.run.process.failure import unpack_failure
from headway.run.process.flight import Flight
from headway.run.process.handle import Handle
from headway.run.process.incoming import outcomes
from headway.run.process.watch import Watch
from headway.run.process.worker import LAST, PORTION_HEAD

if TYPE_CHECKING:
    from headway.run.process.pool import Pool

__all__ = ["Receiver"]

IN, OUT = 1, 4  # the same for poll and epoll


class Receiver:
    """Waits for all workers of a pool at once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._watch = Watch(pool)
        # gevent leaves `poll` alone, in its own version.
        self._epoll = hasattr(select, "epoll")
        self._poller: Any = select.epoll() if self._epoll else select.poll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poller.register(self._wake, IN)
        self._sources: dict[int, tuple[Handle, bool]] = {}
        self._thread: threading.Thread | None = None
        self._awake_at_ns = 0
        self._ended = False

    # From any thread

    def add(self, handle: Handle) -> None:
        """Listen to a worker."""
        with self._pool.lock:
            self._sources[handle.sock.fileno()] = handle, False
            self._sources[handle.pidfd] = handle, True
            self._poller.register(handle.sock.fileno(), IN)
            self._poller.register(handle.pidfd, IN)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name=f"{self._pool.setup.name}-receiver", daemon=True
                )
                self._thread.start()
        if not self._epoll:
            self.wake()

    def watch(self, handle: Handle) -> None:
        """Send the rest of what a worker is to get when its socket takes more; the caller has the lock."""
        self._poller.modify(handle.sock.fileno(), IN | OUT)
        if not self._epoll:
            self.wake()

    def look_soon(self, timeout_s: float | None) -> None:
        """Look after the workers in time, since one has calls that may have to be stopped or given to others."""
        soon_ns = self._watch.soon_ns(timeout_s)
        if (
            time.monotonic_ns() + soon_ns < self._awake_at_ns
            and threading.current_thread() is not self._thread
        ):
            self.wake()

    def wake(self) -> None:
        """Have it look around."""
        os.eventfd_write(self._wake, 1)

    def close(self) -> bool:
        """Have the workers go when they have no more to do; False if it is done, or this thread does it."""
        if self._thread is None:
            if not self._ended:
                self._end()
            return False
        if self._ended:
            return False
        self.wake()
        return threading.current_thread() is not self._thread

    # In its own thread

    def _run(self) -> None:
        pool = self._pool
        poll = self._poller.poll
        while True:
            now_ns = time.monotonic_ns()
            at_ns = self._watch.look(now_ns)
            self._awake_at_ns = at_ns if at_ns is not None else 1 << 62
            wait_s = None if at_ns is None else max(0, at_ns - now_ns) / 1e9
            events = poll(wait_s) if wait_s is None or self._epoll else poll(wait_s * 1000)
            dead = []
            for fd, event in events:
                if fd == self._wake:
                    os.eventfd_read(fd)
                    continue
                handle, is_pid = self._sources[fd]
                if is_pid:
                    dead.append(handle)
                    continue
                if event & OUT:
                    with pool.lock:
                        handle.send_more()
                        if not handle.blocked:
                            self._poller.modify(fd, IN)
                if event & ~OUT:
                    self._receive(handle)
            for handle in dead:
                self._bury(handle)
            if pool.closed and self._closing():
                return

    def _closing(self) -> bool:
        pool = self._pool
        with pool.lock:
            if pool.queue or any(handle.flights or handle.taken for handle in pool.handles):
                return False
            leaving = [handle for handle in pool.handles if handle.ready]
            unready = len(leaving) < len(pool.handles)
        for handle in leaving:
            self._ignore(handle)
            pool.let_go(handle)
        with pool.lock:
            for handle in leaving:
                pool.forget(handle)
        if unready:
            for handle in pool.handles:
                handle.kill()
            return False
        self._end()
        return True

    def _end(self) -> None:
        self._ended = True
        if self._epoll:
            self._poller.close()
        os.close(self._wake)
        self._pool.drained.set()

    def _ignore(self, handle: Handle) -> None:
        for fd in (handle.sock.fileno(), handle.pidfd):
            if self._sources.pop(fd, None) is not None:
                self._poller.unregister(fd)

    def _receive(self, handle: Handle) -> bool:
        """Take what a worker sent; False if nothing more can come."""
        try:
            alive = handle.inbox.fill()
        except BlockingIOError:
            return True
        except OSError:
            alive = False
        while (frame := handle.inbox.frame()) is not None:
            self._take(handle, *frame)
        if not alive and not handle.dead:
            fd = handle.sock.fileno()
            if self._sources.pop(fd, None) is not None:
                # Something closed its socket; it is of no more use.
                self._poller.unregister(fd)
                handle.kill()
        return alive

    def _take(self, handle: Handle, kind: int, number: int, body: memoryview, fds: list[int]) -> None:
        pool = self._pool
        if kind == wire.PORTION:
            self._portion(handle, number, body, fds)
        elif kind == wire.READY:
            with pool.lock:
                handle.ready = handle.taken = True
                pool.failed_starts = 0
            pool.feed(handle)
        elif kind == wire.UNLOADABLE:
            self._unloadable(handle, number, unpack_failure(body))

    def _portion(self, handle: Handle, number: int, body: memoryview, fds: list[int]) -> None:
        pool = self._pool
        count, flags, _, started_ns, ended_ns, cpu_ns = PORTION_HEAD.unpack_from(body)
        rest = None
        with pool.lock:
            flight = self._flight(handle, number)
            wanted = not flight.stopped
            flight.delivered = number + count
            if flags & LAST:
                handle.flights.remove(flight)
                if wanted and flight.delivered < flight.end:  # it met its limit
                    rest = flight.part(flight.delivered, flight.end)
                    pool.queue.appendleft(rest)
                pool.free_limit(handle)
            # Subtle: taken before the sinks run, so that no other thread thinks it idle.
            feeds = not handle.taken and not handle.dead and bool(flags & LAST)
            if feeds:
                handle.taken = True
            pool.learn(flight.task.batch.fn, count, ended_ns - started_ns)
        values, errors = outcomes(body, fds)
        if wanted and count:
            batch = flight.task.batch
            spent = Spent(flight.sent_ns, started_ns, ended_ns, cpu_ns, handle.name)
            batch.sink(Portion(batch, flight.place(number), values, errors, spent))
        if feeds:
            pool.feed(handle)
        if rest is not None:
            self.share()

    def _unloadable(self, handle: Handle, number: int, error: BaseException) -> None:
        pool = self._pool
        with pool.lock:
            flight = self._flight(handle, number)
            handle.flights.remove(flight)
            pool.free_limit(handle)
            feeds = not handle.taken and not handle.dead
            if feeds:
                handle.taken = True
        if not flight.stopped:
            pool.fail([flight.part(flight.first, flight.end)], error, handle.name)
        if feeds:
            pool.feed(handle)

    def share(self) -> None:
        """Give what waits to workers that are idle, and start some if there are too few."""
        pool = self._pool
        while True:
            with pool.lock:
                if not pool.queue or not pool.idle:
                    break
                handle = pool.idle.pop()
                handle.taken = True
            pool.feed(handle)
        pool.start_workers()

    def _flight(self, handle: Handle, number: int) -> Flight:
        for flight in handle.flights:
            if flight.first <= number <= flight.delivered or number < flight.end:
                return flight
        raise LookupError(f"{handle.name} answered for call {number}, which it was not sent")

    def _bury(self, handle: Handle) -> None:
        # What it sent before it died counts.
        while handle.sock.fileno() in self._sources and self._receive(handle):
            if not self._more(handle):
                break
        self._ignore(handle)
        with self._pool.lock:
            self._pool.forget(handle)
        bury(Death(self._pool, handle))
        self.share()

    def _more(self, handle: Handle) -> bool:
        ready = select.select([handle.sock], [], [], 0)[0]
        return bool(ready)
