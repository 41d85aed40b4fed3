"""The pool: which worker gets which calls."""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import time
import weakref
from collections import deque

from headway.errors import CannotSend
from headway.run.backends.contract import Setup
from headway.run.batch import Batch, Portion, Spent
from headway.run.process.deaths import Memory
from headway.run.process.flight import Flight, Task
from headway.run.process.handle import Handle
from headway.run.process.outgoing import Outgoing
from headway.run.process.receiver import Receiver
from headway.run.process.starter import Starter

__all__ = ["Pool"]

AHEAD_NS = 4_000_000
"""A worker is sent more calls while those it has are expected to take less than this."""

FIRST_NS = 10**12
"""What a call of an unknown function is expected to take."""


_all: weakref.WeakSet[Pool] = weakref.WeakSet()


class Pool:
    """Workers and the calls that wait for them.

    One lock guards the queue, the lists of workers and their flights. It is never held while code of others runs:
    pickling, `claim`, sinks.
    """

    def __init__(self, workers: int, setup: Setup) -> None:
        self.workers = workers
        self.setup = setup
        self.closed = False
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self.lock = threading.Lock()
        self.queue: deque[Task] = deque()
        self.in_hand: set[Task] = set()
        """Tasks that some thread is about to send, and so in no other list."""
        self.idle: list[Handle] = []
        self.handles: set[Handle] = set()
        self.failure: BaseException | None = None
        """Why no call can run here any more."""
        self.pace: dict[int, float] = {}
        """Nanoseconds that a call of a function takes, by its id; a guess."""
        self.drained = threading.Event()
        self.outgoing = Outgoing()
        self.memory = Memory()
        self.receiver = Receiver(self)
        self.starter = Starter(self)

    @property
    def at_hand(self) -> int:
        """How many workers have started, here or for an earlier pool."""
        with self.lock:
            return sum(handle.ready or handle.adopted for handle in self.handles)

    # Calls come in

    def submit(self, batch: Batch) -> None:
        """Give a batch to an idle worker, or let it wait for one."""
        task = Task(batch, contextvars.copy_context())
        sys.audit("headway.batch", batch, batch.fn)
        handle = None
        try:
            with self.lock:
                if self.closed:
                    raise RuntimeError("cannot submit: the backend is closed")
                if self.failure is None:
                    if self.idle and not self.queue:
                        handle = self.idle[-1]
                        handle.hand, handle.taken = task, True
                        del self.idle[-1]
                        self.in_hand.add(task)
                    else:
                        self.queue.append(task)
            if self.failure is not None:
                self.fail([task], self.failure)
            elif handle is not None:
                self.give(handle, task)
            else:
                self.share()
        except BaseException:
            if handle is not None:
                self._recover(handle)
            raise

    def share(self) -> None:
        """Give what waits to workers that are idle, and start some if there are too few."""
        handle = None
        try:
            while True:
                with self.lock:
                    if not self.queue or not self.idle:
                        break
                    handle = self.idle[-1]
                    handle.taken = True
                    del self.idle[-1]
                self.feed(handle)
                handle = None
        except BaseException:
            if handle is not None:
                self._recover(handle)
            raise
        self.starter.start()

    def _recover(self, handle: Handle) -> None:
        """Something was raised in a thread that had taken a worker: a handler of a signal can, at any moment.

        So what belongs together is not changed by calls above, after which a handler would run.
        """
        with self.lock:
            task, handle.hand = handle.hand, None
            if task is not None:
                self.in_hand.discard(task)
                if not task.sent:
                    if task not in self.queue:
                        self.queue.appendleft(task)
                else:
                    handle.kill()  # which may have got half a frame, or get one again
            self._put_back(handle)
        self.receiver.run_soon(self.share)

    # Calls go out

    def next_task(self, handle: Handle) -> Task | None:
        """What a worker is to be sent next; None if it has enough. The caller has it taken, and then no more."""
        with self.lock:
            surplus = len(self.handles) > self.workers
            if (
                self.queue
                and not handle.dead
                and self._wants(handle)
                and not (surplus and not handle.flights)
            ):
                task = self.queue[0]
                handle.hand, handle.taken = task, True
                del self.queue[0]
                self.in_hand.add(task)
                return task
            self._put_back(handle)
            if surplus:
                self.receiver.wake()
            return None

    def landed(self, handle: Handle) -> bool:
        """A worker has done a flight: whether to feed it, in which case it is taken. The caller has the lock."""
        if handle.taken or handle.dead:
            return False
        if self.queue or len(self.handles) > self.workers:
            handle.taken = True
        else:
            self._put_back(handle)
        return handle.taken

    def _put_back(self, handle: Handle) -> None:
        handle.taken = False
        if not handle.flights and not handle.dead and handle not in self.idle:
            self.idle.append(handle)

    def feed(self, handle: Handle) -> None:
        """Send a worker what it can take."""
        task = self.next_task(handle)
        if task is not None:
            self.give(handle, task)

    def give(self, handle: Handle, task: Task | None) -> None:
        """Send a worker a task, and more if it is done with that soon. The caller has taken the worker."""
        try:
            while task is not None and not self._send(handle, task):
                handle.hand = None
                task = self.next_task(handle)
        except BaseException:  # such as Ctrl-C while something was pickled
            self._recover(handle)
            raise
        if self.queue and (self.idle or handle.dead):  # the receiver may have looked before it was queued
            self.share()

    def _wants(self, handle: Handle) -> bool:
        """Whether to send it more."""
        if not handle.flights:
            return True
        if self.idle or handle.limited_ns or handle.blocked or handle.lead.locked():
            return False
        ahead = sum(
            (flight.end - flight.delivered) * self.pace.get(id(flight.task.batch.fn), FIRST_NS)
            for flight in handle.flights
        )
        return ahead < AHEAD_NS

    def _send(self, handle: Handle, task: Task) -> bool:
        """Send a worker a task; whether there is no other that it could be sent, and so it is taken no more."""
        batch = task.batch
        frame = None
        failed: Exception | None = None
        if task.claimed or batch.claim():
            task.claimed = True
            try:
                if task.stop > task.start:
                    frame = self.outgoing.frame(task, handle)
            except Exception as error:
                failed = error
        with self.lock:
            self.in_hand.discard(task)
            if frame is not None and task.error is None and not handle.dead:
                sys.audit(
                    "headway.flight", self, batch, batch.submitted_ns, handle.pid, handle.next, self.workers
                )
                flight = Flight(task, handle.next, time.monotonic_ns(), frame.local)
                task.sent = True
                handle.next = flight.end
                handle.flights.append(flight)
                batch.worker = handle
                frame.note(handle)
                handle.send(frame.data, frame.fds)
                if handle.blocked:
                    self.receiver.watch(handle)
                if batch.timeout_s is not None or handle.next - handle.flights[0].first > 1:
                    self.receiver.look_soon(batch.timeout_s)
                if self.queue or len(self.handles) > self.workers:
                    return False
                handle.hand = None
                self._put_back(handle)
                return True
            if frame is not None and task.error is None:
                self.queue.appendleft(task)
        if frame is not None:
            for fd in frame.fds:
                os.close(fd)
        if task.error is not None or isinstance(failed, CannotSend):
            reason = task.error or failed
            assert reason is not None
            self.fail([task], reason)
        elif failed is not None:
            self._send_good(task, failed)
        return False

    def _send_good(self, task: Task, error: Exception) -> None:
        """A task cannot be sent as a whole: let its bad calls fail, and queue the others."""
        bad = self.outgoing.bad_calls(task)
        if not bad:  # such as no room for a segment
            made = CannotSend(f"the arguments cannot be sent: {type(error).__name__}: {error}")
            made.__cause__ = error
            self.fail([task], made)
            return
        parts = []
        start = task.start
        for place, cause in sorted(bad.items()):
            if start < place:
                parts.append(task.part(start, place))
            start = place + 1
            self.fail([task.part(place, start)], cause)
        if start < task.stop:
            parts.append(task.part(start, task.stop))
        with self.lock:
            self.queue.extendleft(reversed(parts))

    # Outcomes

    def fail(self, tasks: list[Task], error: BaseException, worker: str = "") -> None:
        """Deliver the same error for all calls of some tasks."""
        for task in tasks:
            count = task.stop - task.start
            if not (task.claimed or task.batch.claim()) or not count:
                continue
            spent = Spent(0, 0, time.monotonic_ns(), 0, worker)
            errors = dict.fromkeys(range(count), error)
            task.batch.sink(Portion(task.batch, task.start, [None] * count, errors, spent))

    def learn(self, fn: object, count: int, spent_ns: int) -> None:
        """Note how long calls of a function took."""
        if count:
            each = spent_ns / count
            known = self.pace.get(id(fn))
            if len(self.pace) > 100:
                self.pace.clear()
            self.pace[id(fn)] = each if known is None else (known + each) / 2

    def abandon(self, error: BaseException) -> None:
        """Fail all calls, those that run too."""
        with self.lock:
            self.failure = self.failure or error
            tasks = self._take_all(error)
        self.fail(tasks, error)

    def _take_all(self, error: BaseException) -> list[Task]:
        """All that waits or runs; the answers of workers no longer count. The caller has the lock."""
        tasks = list(self.queue)
        self.queue.clear()
        for task in self.in_hand:
            task.error = error
        for handle in self.handles:
            for flight in handle.flights:
                if not flight.stopped:
                    flight.stopped = True
                    tasks.append(flight.part(flight.delivered, max(flight.delivered, flight.end)))
        return tasks

    def break_down(self, error: BaseException) -> None:
        """No call can run here any more: fail those that wait and all that come."""
        with self.lock:
            self.failure = error
            tasks = list(self.queue)
            self.queue.clear()
        self.fail(tasks, error)

    # The end

    def stop(self, batch: Batch, error: BaseException) -> bool:
        """Stop what runs of a batch and drop what does not."""
        found = []
        with self.lock:
            for task in [task for task in self.queue if task.batch is batch]:
                self.queue.remove(task)
                found.append(task)
            for task in self.in_hand:
                if task.batch is batch:
                    task.error = error
            for handle in self.handles:
                for flight in handle.flights:
                    if flight.task.batch is batch and not flight.stopped:
                        found.append(flight.part(flight.delivered, flight.end))
                        self._stop_flight(handle, flight, error)
        self.fail(found, error)
        return True

    def _stop_flight(self, handle: Handle, flight: Flight, error: BaseException) -> None:
        flight.stopped = True
        # What it has not begun it need not begin.
        handle.limit(flight.first)
        if flight.first <= handle.begun < flight.end:
            handle.killed = handle.begun, error
            handle.kill()
        else:
            self.receiver.look_soon(None)

    def close(self, *, wait: bool, abort: bool) -> None:
        """Let the workers go when all is delivered, or at once."""
        tasks: list[Task] = []
        if abort:
            from concurrent.futures import CancelledError

            error = CancelledError("the backend was closed")
        with self.lock:
            self.closed = True
            if abort:
                tasks = self._take_all(error)
                for handle in self.handles:
                    if handle.flights:
                        handle.kill()
        if tasks:
            self.fail(tasks, error)
        if self.receiver.close() and wait:
            self.drained.wait()

    def resize(self, workers: int) -> None:
        """Allow more or fewer workers. One that has work keeps it."""
        with self.lock:
            self.workers = workers
            thread = bool(self.handles)
        self.starter.start()
        if thread:
            self.receiver.wake()

    def begin_anew(self) -> None:
        """After a fork, in the child: the workers and their calls are the parent's, so start with none."""
        self.receiver.forget()
        self._begin()

    def forget(self, handle: Handle) -> None:
        """A worker is gone, or no longer ours; the caller has the lock."""
        handle.dead = True
        self.handles.discard(handle)
        if handle in self.idle:
            self.idle.remove(handle)


def _begin_anew() -> None:
    for pool in list(_all):
        pool.begin_anew()


os.register_at_fork(after_in_child=_begin_anew)
