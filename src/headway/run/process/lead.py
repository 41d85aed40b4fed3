"""The short way back: a thread that waits for one call takes the outcome from the worker itself.

Else the receiver takes it and wakes that thread: it costs two more switches between threads, each with a wait for the
GIL. That one thread of many takes what all wait for is the pattern Leader/Followers (Schmidt et al., PLoP 2000); here
each worker has a leader of its own, or else the receiver.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from headway.run.batch import Batch
from headway.run.process.flight import Flight
from headway.run.process.handle import Handle

if TYPE_CHECKING:
    from headway.run.process.pool import Pool
    from headway.run.process.receiver import Receiver

__all__ = ["Leaders"]

LOOK_S = 1.0
"""A leader looks as often whether the outcome has come another way."""

UNLED_NS = 2_000_000
"""A worker that had a leader may have calls for so long without one, until the receiver listens to it again."""

KEPT_NS = 50_000_000
"""So long it is kept for the next leader, if it has no calls."""

HELD = 1 << 62


class Leaders:
    """The workers of a pool to whose sockets threads listen that wait for calls, and not the receiver.

    A worker stays here when its leader leaves: who waits for its next call is likely to lead again, and to tell the
    receiver each time would cost as much as is won.
    """

    def __init__(self, pool: Pool, receiver: Receiver) -> None:
        self._pool = pool
        self._receiver = receiver
        self._left_ns: dict[Handle, int] = {}
        """When the last leader left; HELD while there is one."""

    def __bool__(self) -> bool:
        return bool(self._left_ns)

    def attend(self, batch: Batch, waits: Callable[[], bool], timeout_s: float | None) -> None:
        """Take what a worker sends until a call has its outcome, if no other call could be kept waiting by that.

        It may return before; the receiver goes on then. A handler of a signal may raise in it, at any moment.
        """
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        with self._pool.lock:
            handle = self._worker_of(batch)
        # Two threads that wait for one call may both come here; then the second one has to wait for the first.
        if handle is None or handle.lead.locked():
            return
        with handle.lead:
            try:
                with self._pool.lock:
                    if self._worker_of(batch) is not handle or not self._begin(handle):
                        return
                    flight = handle.flights[0]
                self._lead(handle, flight, waits, until_s)
            except BaseException:
                self._receiver.run_soon(lambda: None)  # it may have to look after workers that were left
                raise
            finally:
                if handle in self._left_ns:
                    self._left_ns[handle] = time.monotonic_ns()

    def _lead(self, handle: Handle, flight: Flight, waits: Callable[[], bool], until_s: float | None) -> None:
        if handle.poller is None:
            poller = select.poll()
            poller.register(handle.pidfd, select.POLLIN)
            poller.register(handle.sock.fileno(), select.POLLIN)
            handle.poller = poller  # when it is whole
        whole = True
        try:
            while waits():
                wait_s = LOOK_S if until_s is None else min(LOOK_S, until_s - time.monotonic())
                if wait_s < 0:
                    return
                events = handle.poller.poll(wait_s * 1000)
                if len(events) > 1 or (events and events[0][0] == handle.pidfd):
                    return  # it is dead, and the receiver's
                if events:
                    whole = False
                    goes_on = self._receiver.take(handle)
                    whole = True
                    if not goes_on:
                        return
        except BaseException:
            if not whole:  # nobody knows how far that came
                handle.kill()
                if waits() and (flight not in handle.flights or flight.delivered >= flight.end):
                    self._pool.fail([flight.task], CancelledError("interrupted while its outcome came"))
            raise

    def _worker_of(self, batch: Batch) -> Handle | None:
        """The worker that has a batch and nothing else, while nothing waits for a worker; the caller has the lock."""
        if not self._pool.queue:
            for handle in self._pool.handles:
                flights = handle.flights
                if flights and flights[0].task.batch is batch:
                    return None if len(flights) > 1 or handle.blocked or handle.taken else handle
        return None

    def _begin(self, handle: Handle) -> bool:
        """Listen to a worker instead of the receiver, if nobody reads from it now; the caller has the lock."""
        # Where gevent is in charge there is no epoll, and a leader would keep all greenlets waiting.
        if handle.read or not hasattr(select, "epoll"):
            return False
        if handle not in self._left_ns:
            # Subtle: first, so that it is found by `take_back` if a signal comes between.
            self._left_ns[handle] = HELD
            if not self._receiver.leave(handle):
                del self._left_ns[handle]
                return False
            self._receiver.wake()
        return True

    def take_back(self, now_ns: int) -> int:
        """Give the receiver workers that need one and have no leader, or have had none for a while.

        Returns:
            When to do it again.
        """
        with self._pool.lock:
            for handle, left_ns in list(self._left_ns.items()):
                if handle.lead.locked():
                    continue
                waits = bool(handle.flights) and now_ns - handle.flights[0].sent_ns > UNLED_NS
                if waits or left_ns == HELD or now_ns - left_ns > KEPT_NS:
                    self._receiver.listen(handle)
            return now_ns + UNLED_NS if self._left_ns else HELD

    def forget(self, handle: Handle) -> None:
        """The receiver listens to it again, or it is gone."""
        self._left_ns.pop(handle, None)
