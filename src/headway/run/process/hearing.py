"""What a worker tells, frame by frame, and what follows from it."""

from __future__ import annotations

import sys
from _pickle import loads
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headway.errors import CannotSend, InitializerFailed
from headway.run.batch import Portion, Spent
from headway.run.process import wire
from headway.run.process.answers import LAST, PORTION_HEAD
from headway.run.process.deaths import MORE_MEMORY
from headway.run.process.failure import unpack_failure
from headway.run.process.handle import Handle
from headway.run.process.incoming import outcomes
from headway.run.process.records import hear_record, hear_warning
from headway.run.process.spawn import set_up
from headway.run.process.worker import OF_CALL, OF_ITEMS

if TYPE_CHECKING:
    from headway.run.process.pool import Pool

__all__ = ["Hearing"]


class Hearing:
    """Takes the frames that workers send to a pool.

    Args:
        pool: The pool.
        do: Does what may run code of others, which must not keep a leader.
    """

    def __init__(self, pool: Pool, do: Callable[[Callable[[], None]], None]) -> None:
        self._pool = pool
        self._do = do
        self._warned: dict[Any, Any] = {}

    def take(self, handle: Handle, kind: int, number: int, body: memoryview, fds: list[int]) -> None:
        """Take a frame; for the receiver, or the leader that has the socket of the worker."""
        pool = self._pool
        if kind == wire.RESULT:
            self._result(handle, body)
        elif kind == wire.PORTION:
            self._portion(handle, body, fds)
        elif kind == wire.READY:
            with pool.lock:
                handle.ready = handle.taken = True
                pool.starter.failed = 0
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
