"""The receiver: one thread of a pool that takes what workers send, and notices how they end."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from _pickle import loads
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headway.errors import CannotSend, InitializerFailed
from headway.run.batch import Portion, Spent
from headway.run.process import reserve, segments, wire
from headway.run.process.answers import LAST, PORTION_HEAD
from headway.run.process.deaths import MORE_MEMORY, Death, bury
from headway.run.process.failure import unpack_failure
from headway.run.process.handle import Handle
from headway.run.process.incoming import outcomes
from headway.run.process.lead import Leaders
from headway.run.process.records import hear_record, hear_warning
from headway.run.process.spawn import GRACE_S, set_up
from headway.run.process.watch import NEVER_NS, Watch
from headway.run.process.wire import TooManyFiles
from headway.run.process.worker import OF_CALL, OF_ITEMS

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
        self._warned: dict[Any, Any] = {}
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
            if self._thread is None and not self._pool.starting:
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
            if pool.handles or pool.queue or pool.starting:
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
            self._take(handle, *frame)
        if not alive:
            handle.ended = True
            fd = handle.sock.fileno()
            if self._sources.pop(fd, None) is not None:
                self._poller.unregister(fd)
            if not handle.leaves_ns:
                # Something closed its socket, or we cannot take what it sends: it is of no more use.
                handle.kill()
        return alive

    def _take(self, handle: Handle, kind: int, number: int, body: memoryview, fds: list[int]) -> None:
        pool = self._pool
        if kind == wire.RESULT:
            self._result(handle, body)
        elif kind == wire.PORTION:
            self._portion(handle, body, fds)
        elif kind == wire.READY:
            with pool.lock:
                handle.ready = handle.taken = True
                pool.failed_starts = 0
            pool.feed(handle)
        elif kind == wire.UNLOADABLE:
            self._unloadable(handle, bytes(body[:1]), unpack_failure(body[1:]))
        elif kind == wire.LOG:
            hear_record(body)
        elif kind == wire.WARNING:
            hear_warning(body, self._warned)
        elif kind == wire.BROKEN:
            self._broken(handle, bytes(body[:1]), unpack_failure(body[1:]))

    def _broken(self, handle: Handle, part: bytes, error: BaseException) -> None:
        """The initializer did not come to its end."""
        pool = self._pool
        initializer = pool.setup.initializer
        if (
            part == OF_CALL
            and initializer is not None
            and pool.outgoing.learn_missing(initializer, error, handle.local)
        ):
            set_up(handle, pool.setup, pool.outgoing.local)
            return
        made = InitializerFailed(
            f"the initializer raised {type(error).__name__} in {handle.name}: {error}",
            hint="no call can run until it succeeds",
        )
        made.__cause__ = error
        pool.break_down(made)
        handle.kill()

    def _result(self, handle: Handle, body: memoryview) -> None:
        """Do what `_portion` does, for a call that was alone in its flight and returned something simple."""
        pool = self._pool
        started_ns, ended_ns, cpu_ns = wire.RESULT_BODY.unpack_from(body)
        with pool.lock:
            flight = handle.flights[0]
            sys.audit("headway.landed", pool, handle.pid, flight.first, False)
            handle.flights.popleft()
            handle.free()
            feeds = pool.landed(handle)
            batch = flight.task.batch
            pool.learn(batch.fn, 1, ended_ns - started_ns)
        if not flight.stopped:
            value = loads(body[wire.RESULT_BODY.size :])
            spent = Spent(flight.sent_ns, started_ns, ended_ns, cpu_ns, handle.name)
            batch.sink(Portion(batch, flight.task.start, [value], {}, spent))
        if feeds:
            self._do(lambda: pool.feed(handle))

    def _portion(self, handle: Handle, body: memoryview, fds: list[int]) -> None:
        pool = self._pool
        count, flags, failed, started_ns, ended_ns, cpu_ns = PORTION_HEAD.unpack_from(body)
        rest = None
        with pool.lock:
            flight = handle.flights[0]  # a worker does one after the other
            if (
                flags & LAST and flight.delivered + count == flight.first
            ):  # it met its limit before its first call
                sys.audit("headway.lost", pool, handle.pid, flight.first, flight.stopped)
            elif flags & LAST:
                sys.audit("headway.landed", pool, handle.pid, flight.first, bool(failed))
            place = flight.place(flight.delivered)
            wanted = not flight.stopped
            flight.delivered += count
            if flags & LAST:
                rest = self._landed(handle)
            # Subtle: before the sinks run, so that a sink's own calls find it idle, or no one thinks it so.
            feeds = bool(flags & LAST) and pool.landed(handle)
            pool.learn(flight.task.batch.fn, count, ended_ns - started_ns)
        values, errors = outcomes(body, fds)
        if wanted and count:
            batch = flight.task.batch
            spent = Spent(flight.sent_ns, started_ns, ended_ns, cpu_ns, handle.name)
            batch.sink(Portion(batch, place, values, errors, spent))
        if feeds:
            self._do(lambda: pool.feed(handle))
        if rest:
            self._do(pool.share)

    def _do(self, errand: Callable[[], None]) -> None:
        """Do what may run code of others, which must not keep a leader."""
        if threading.current_thread() is self._thread:
            errand()
        else:
            self.run_soon(errand)

    def _landed(self, handle: Handle) -> bool:
        """The first flight of a worker is over; whether some of its calls were not begun and are queued."""
        flight = handle.flights.popleft()
        handle.free()
        if flight.stopped or flight.delivered >= flight.end:
            return False
        self._pool.queue.appendleft(flight.part(flight.delivered, flight.end))  # it met its limit
        return True

    def _unloadable(self, handle: Handle, part: bytes, error: BaseException) -> None:
        """A worker could not unpickle what it was sent."""
        pool = self._pool
        failed = None
        with pool.lock:
            flight = handle.flights[0]
            sys.audit("headway.landed", pool, handle.pid, flight.first, True)
            handle.flights.popleft()
            handle.free()
            feeds = pool.landed(handle)
            if not flight.stopped and flight.first < flight.end:
                task = flight.part(flight.first, flight.end)
                if pool.outgoing.learn_missing(task.batch.fn, error, flight.local):
                    pool.queue.appendleft(task)
                elif part == OF_ITEMS and task.stop - task.start > 1:
                    # One of them is bad; which one shows when they come one by one.
                    places = range(task.start, task.stop)
                    pool.queue.extendleft(task.part(place, place + 1) for place in reversed(places))
                else:
                    failed = task
        if failed is not None:
            what = "the function" if part == OF_CALL else "the arguments"
            hint = (
                "a worker imports what it needs by name; see that it can, or define it where it goes by value"
            )
            why = f"{type(error).__name__}: {error}"
            limit = handle.surroundings.memory_bytes
            if isinstance(error, MemoryError) and limit is not None:
                why, hint = f"MemoryError; it has a memory limit of {limit} bytes", MORE_MEMORY
            made = CannotSend(f"{what} cannot be unpickled in {handle.name}: {why}", hint=hint)
            made.__cause__ = error
            pool.fail([failed], made, handle.name)
        if feeds:
            self._do(lambda: pool.feed(handle))
        self._do(pool.share)

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
