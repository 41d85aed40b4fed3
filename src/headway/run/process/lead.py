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
from typing import TYPE_CHECKING, Any

from headway.run.batch import Batch
from headway.run.cores import available_cores
from headway.run.process.flight import Flight
from headway.run.process.handle import Handle
from headway.run.process.page import SPIN

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
        self._cores = available_cores()

    def __bool__(self) -> bool:
        return bool(self._left_ns)

    def attend(self, batch: Batch, waits: Callable[[], bool], timeout_s: float | None) -> None:
        """Take what a worker sends until a call has its outcome, if no other call could be kept waiting by that.

        It may return before; the receiver goes on then. A handler of a signal may raise in it, at any moment.
        """
        until_s = None if timeout_s is None else time.monotonic() + timeout_s
        handle = batch.worker
        # Two threads that wait for one call may both come here; then the second one has to wait for the first.
        if handle is None or handle.lead.locked():
            return
        with handle.lead:
            try:
                with self._pool.lock:
                    if not self._has_alone(handle, batch) or not self._begin(handle):
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
        whole = True
        began_ns = time.monotonic_ns()
        once = not (handle.page[SPIN] and handle.spin.pays())
        try:
            while waits():
                whole = False
                goes_on = self._receiver.receive(handle, began_ns, once=once)
                whole = once = True
                if goes_on:
                    handle.spin.waited(began_ns)
                    continue
                if goes_on is False:
                    return
                wait_s = LOOK_S if until_s is None else min(LOOK_S, until_s - time.monotonic())
                if wait_s < 0:
                    return
                events = (handle.poller or _poller(handle)).poll(wait_s * 1000)
                if len(events) > 1 or (events and events[0][0] == handle.pidfd):
                    return  # it is dead, and the receiver's
        except BaseException:
            if not whole and not handle.spin.vain:  # nobody knows how far that came
                handle.kill()
                if waits() and (flight not in handle.flights or flight.delivered >= flight.end):
                    self._pool.fail([flight.task], CancelledError("interrupted while its outcome came"))
            raise

    def _has_alone(self, handle: Handle, batch: Batch) -> bool:
        """Whether a worker has a batch and nothing else, while nothing waits for a worker; the caller has the lock."""
        flights = handle.flights
        return (
            len(flights) == 1
            and flights[0].task.batch is batch
            and not (self._pool.queue or handle.blocked or handle.taken or handle.dead)
        )

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
            self._allow_spin()
        return True

    def _allow_spin(self) -> None:
        """Have workers and leaders look before they sleep if each of them can have a core; the caller has the lock."""
        allowed = 2 * len(self._left_ns) <= self._cores
        for handle in self._left_ns:
            handle.page[SPIN] = allowed

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
        if self._left_ns.pop(handle, None) is not None:
            handle.page[SPIN] = 0
            self._allow_spin()


def _poller(handle: Handle) -> Any:
    """What waits until a worker has sent something, or is dead."""
    poller = select.poll()
    poller.register(handle.pidfd, select.POLLIN)
    poller.register(handle.sock.fileno(), select.POLLIN)
    handle.poller = poller  # when it is whole
    return poller
