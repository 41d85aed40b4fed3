"""The receiver: one thread of a pool that takes what workers send, and notices how they end."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headway.run.process import reserve, segments
from headway.run.process.deaths import Death, bury
from headway.run.process.handle import Handle
from headway.run.process.hearing import Hearing
from headway.run.process.lead import Leaders
from headway.run.process.spawn import GRACE_S
from headway.run.process.watch import NEVER_NS, Watch
from headway.run.process.wire import TooManyFiles

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
        self._leaving: set[Handle] = set()
        self._hear = Hearing(pool, self._do).take
        self.leaders = Leaders(pool, self)
        self._errands: deque[Callable[[], None]] = deque()
        """What leaders leave to this thread, since it may run code of others."""
        self._busy = False
        self._ended = False

    # From any thread

    def add(self, handle: Handle) -> None:
        """Listen to a worker; the caller has the lock."""
        if self._ended:
            handle.release()
            return
        self.listen(handle)
        if handle.blocked:
            self.watch(handle)
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name=f"{self._pool.setup.name}-receiver", daemon=True
            )
            self._thread.start()
        elif not self._epoll:
            self.wake()

    def listen(self, handle: Handle) -> None:
        """Listen to a worker's socket and for its end."""
        self.leaders.forget(handle)
        for fd, is_pid in ((handle.sock.fileno(), False), (handle.pidfd, True)):
            if fd not in self._sources and (is_pid or not handle.ended):
                self._sources[fd] = handle, is_pid
                with contextlib.suppress(FileExistsError):  # a leader was interrupted in `leave`
                    self._poller.register(fd, IN)

    def leave(self, handle: Handle) -> bool:
        """Listen to a worker's socket no more; the caller has the lock. False if that is not possible now."""
        fd = handle.sock.fileno()
        if self._ended or handle.read or fd not in self._sources:
            return False
        del self._sources[fd]
        self._poller.unregister(fd)
        return True

    def watch(self, handle: Handle) -> None:
        """Send the rest of what a worker is to get when its socket takes more; the caller has the lock."""
        self.listen(handle)
        self._poller.modify(handle.sock.fileno(), IN | OUT)
        if not self._epoll:
            self.wake()

    def look_soon(self, timeout_s: float | None) -> None:
        """Look after the workers in time, since one has calls that may have to be stopped or given to others."""
        soon_ns = self._watch.soon_ns(timeout_s)
        if (
            time.monotonic_ns() + soon_ns < self._watch.again_ns
            and threading.current_thread() is not self._thread
        ):
            self.wake()

    def wake(self) -> None:
        """Have it look around."""
        os.eventfd_write(self._wake, 1)

    def run_soon(self, errand: Callable[[], None]) -> None:
        """Have it do something that the calling thread must not."""
        self._errands.append(errand)
        with contextlib.suppress(OSError):  # it has ended
            self.wake()

    def close(self) -> bool:
        """Have the workers go when they have no more to do; whether that is to be waited for."""
        with self._pool.lock:
            if self._ended:
                return False
            if self._thread is None and not self._pool.starter.starting:
                self._end()
                return False
            self.wake()
        return threading.current_thread() is not self._thread

    def forget(self) -> None:
        """After a fork, in the child: let go of what is the parent's, without a word to the kernel about it."""
        # Subtle: not `unregister`, which would change what the parent listens to.
        if not self._ended:
            self._ended = True
            os.close(self._wake)
            if self._epoll:
                self._poller.close()

    # In its own thread

    def _run(self) -> None:
        try:
            while not self._turn():
                pass
        except BaseException as error:
            # A defect of ours, or a sink that raises: better an error for all than a program that waits for ever.
            for handle in list(self._pool.handles):
                handle.kill()
            self._pool.abandon(error)
            self._pool.drained.set()
            raise

    def _turn(self) -> bool:
        """Wait until something happens, and do what is to be done; whether that was the last time."""
        pool = self._pool
        now_ns = time.monotonic_ns()
        at_ns = min([self._watch.look(now_ns), *(handle.leaves_ns for handle in self._leaving)])
        if self.leaders:
            at_ns = min(at_ns, self.leaders.take_back(now_ns))
        wait_s = None if at_ns == NEVER_NS else max(0, at_ns - now_ns) / 1e9
        events = self._poller.poll(wait_s if wait_s is None or self._epoll else wait_s * 1000)
        dead = []
        for fd, event in events:
            if fd == self._wake:
                os.eventfd_read(fd)
                continue
            if fd not in self._sources:  # just removed
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
                with pool.lock:
                    if handle.lead.locked():
                        continue
                    handle.read = True
                self.receive(handle)
                handle.read = False
        for handle in dead:
            self._bury(handle)
        while self._errands:
            self._errands.popleft()()
        if pool.closed or len(pool.handles) > pool.workers:
            self._retire()
        if self._leaving:
            now_ns = time.monotonic_ns()
            for handle in self._leaving:
                if handle.leaves_ns <= now_ns:
                    handle.kill()
                    handle.leaves_ns = NEVER_NS
        busy = len(pool.idle) < len(pool.handles)
        if busy != self._busy:
            segments.keep(1 if busy else -1)
            self._busy = busy
            if not busy:
                pool.outgoing.rest()
        return pool.closed and not self._sources and self._drain()

    def _retire(self) -> None:
        """Let idle workers go, if there are too many or the pool is closed."""
        pool = self._pool
        with pool.lock:
            if pool.closed and (pool.queue or any(handle.flights or handle.taken for handle in pool.handles)):
                surplus = 0
            elif pool.closed:
                # One that has not even started has nothing to end in order.
                for handle in pool.handles - set(pool.idle):
                    handle.kill()
                surplus = len(pool.idle)
            else:
                surplus = len(pool.handles) - pool.workers
            going = [pool.idle.pop() for _ in range(min(surplus, len(pool.idle)))]
            for handle in going:
                pool.forget(handle)
            done = pool.closed and not pool.handles and not pool.queue
        leaving = going
        if not pool.setup.initializer:
            leaving = []
            for handle in going:
                self._ignore(handle)
                leaving += [handle] if handle.ended else reserve.park(handle)
        for handle in leaving:
            self.listen(handle)
            self._leaving.add(handle)
            handle.leaves_ns = time.monotonic_ns() + int(GRACE_S * 1e9)
            handle.hang_up()
        if done:
            pool.drained.set()

    def _drain(self) -> bool:
        """End, if nothing is left to do."""
        pool = self._pool
        with pool.lock:
            if pool.handles or pool.queue or pool.starter.starting:
                return False
            self._end()
            return True

    def _end(self) -> None:
        self._ended = True
        if self._busy:
            segments.keep(-1)
            self._busy = False
        if self._epoll:
            self._poller.close()
        os.close(self._wake)
        self._pool.drained.set()

    def _ignore(self, handle: Handle) -> None:
        self.leaders.forget(handle)
        for fd in (handle.sock.fileno(), handle.pidfd):
            if self._sources.pop(fd, None) is not None:
                self._poller.unregister(fd)

    def receive(self, handle: Handle, began_ns: int = 0, *, once: bool = True) -> bool | None:
        """Take what a worker has sent; for this thread, or the leader that has its socket.

        Args:
            handle: The worker.
            began_ns: When the wait began.
            once: Whether to look once, and not for a while.
        Returns:
            None if nothing came, False if nothing more can come.
        """
        alive = lost = False
        try:
            came = handle.spin.look(handle.inbox, began_ns, once=once)
            if came is None:
                return None
            alive = came
        except TooManyFiles:
            lost = True
        except OSError:
            pass
        while not lost and (frame := handle.inbox.frame()) is not None:
            self._hear(handle, *frame)
        if not alive:
            handle.ended = True
            fd = handle.sock.fileno()
            if self._sources.pop(fd, None) is not None:
                self._poller.unregister(fd)
            if not handle.leaves_ns:
                # Something closed its socket, or we cannot take what it sends: it is of no more use.
                handle.kill()
        return alive

    def _do(self, errand: Callable[[], None]) -> None:
        """Do what may run code of others, which must not keep a leader."""
        if threading.current_thread() is self._thread:
            errand()
        else:
            self.run_soon(errand)

    def _bury(self, handle: Handle) -> None:
        """A worker is dead."""
        pool = self._pool
        with pool.lock:
            led = handle.lead.locked()
            if not led:
                pool.forget(handle)
        if led:  # its leader sees that too, and leaves; then it is told here again
            time.sleep(0.0001)
            return
        if handle in self._leaving:
            self._leaving.discard(handle)
            self._ignore(handle)
            handle.reap()
            return
        while self.receive(handle):  # what it sent before it died counts
            pass
        self._ignore(handle)
        bury(Death(pool, handle))
        pool.share()
