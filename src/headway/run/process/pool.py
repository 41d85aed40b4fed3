"""The pool: which worker gets which calls."""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque

from headway.errors import CannotSend
from headway.run.backends.contract import Setup
from headway.run.batch import Batch, Portion, Spent
from headway.run.process.flight import Flight, Task
from headway.run.process.handle import Handle
from headway.run.process.outgoing import Outgoing
from headway.run.process.page import FREE, LIMIT
from headway.run.process.receiver import Receiver
from headway.run.process.spawn import available_cores, spawn

__all__ = ["Pool"]

AHEAD_NS = 4_000_000
"""A worker is sent more calls while those it has are expected to take less than this."""

MOST_CRASHES = 3
"""Workers that may die at the start, or with a task but not in one of its calls, before that is an error."""

FIRST_NS = 10**12
"""What a call of an unknown function is expected to take."""


class Pool:
    """Workers and the calls that wait for them.

    One lock guards the queue, the lists of workers and their flights. It is never held while code of others runs:
    pickling, `claim`, sinks.
    """

    def __init__(self, workers: int, setup: Setup) -> None:
        self.workers = workers
        self.setup = setup
        self.lock = threading.Lock()
        self.queue: deque[Task] = deque()
        self.idle: list[Handle] = []
        self.handles: set[Handle] = set()
        self.closed = False
        self.failure: BaseException | None = None
        """Why no call can run here any more."""
        self.failed_starts = 0
        self.pace: dict[int, float] = {}
        """Nanoseconds that a call of a function takes, by its id; a guess."""
        self.drained = threading.Event()
        self._starting = 0
        self._outgoing = Outgoing()
        self.receiver = Receiver(self)

    # Calls come in

    def submit(self, batch: Batch) -> None:
        """Give a batch to an idle worker, or let it wait for one."""
        task = Task(batch, contextvars.copy_context())
        handle = None
        with self.lock:
            if self.closed:
                raise RuntimeError("cannot submit: the backend is closed")
            if self.failure is None:
                if self.idle and not self.queue:
                    handle = self.idle.pop()
                    handle.taken = True
                else:
                    self.queue.append(task)
        if self.failure is not None:
            self.fail([task], self.failure)
        elif handle is not None:
            self.give(handle, task)
        else:
            self.start_workers()

    def start_workers(self) -> None:
        """Start as many workers as the calls that wait can use."""
        while True:
            with self.lock:
                starting = self._starting + sum(not handle.ready for handle in self.handles)
                if (
                    self.failure is not None
                    or len(self.queue) <= starting
                    or len(self.handles) + self._starting >= self.workers
                ):
                    return
                self._starting += 1
            handle = None
            try:
                handle = spawn(max(1, available_cores() // self.workers))
            except OSError as error:
                with self.lock:
                    self._starting -= 1
                    alone = not self.handles and not self._starting
                if alone:
                    self.break_down(error)
                return
            with self.lock:
                self._starting -= 1
                self.handles.add(handle)
            self.receiver.add(handle)

    # Calls go out

    def next_task(self, handle: Handle) -> Task | None:
        """What a worker is to be sent next; None if it has enough. The caller has it taken, and then no more."""
        with self.lock:
            if self.queue and not handle.dead and self._wants(handle):
                handle.taken = True
                return self.queue.popleft()
            handle.taken = False
            if not handle.flights and not handle.dead and handle not in self.idle:
                self.idle.append(handle)
            return None

    def feed(self, handle: Handle) -> None:
        """Send a worker what it can take."""
        task = self.next_task(handle)
        if task is not None:
            self.give(handle, task)

    def give(self, handle: Handle, task: Task | None) -> None:
        """Send a worker a task, and more if it is done with that soon. The caller has taken the worker."""
        while task is not None:
            try:
                self._send(handle, task)
            except BaseException:  # such as Ctrl-C while something was pickled
                with self.lock:
                    self.queue.appendleft(task)
                    handle.taken = False
                    if not handle.flights and not handle.dead:
                        self.idle.append(handle)
                raise
            task = self.next_task(handle)

    def _wants(self, handle: Handle) -> bool:
        """Whether to send it more."""
        if not handle.flights:
            return True
        if self.idle or handle.limited_ns or handle.blocked:
            return False
        ahead = sum(
            (flight.end - flight.delivered) * self.pace.get(id(flight.task.batch.fn), FIRST_NS)
            for flight in handle.flights
        )
        return ahead < AHEAD_NS

    def _send(self, handle: Handle, task: Task) -> None:
        batch = task.batch
        if not task.claimed:
            if not batch.claim():
                return
            task.claimed = True
        if task.stop == task.start:
            return
        try:
            frame, fds = self._outgoing.frame(task, handle)
        except CannotSend as error:
            self.fail([task], error)
            return
        except Exception as error:
            self._send_good(task, error)
            return
        with self.lock:
            if handle.dead:
                self.queue.appendleft(task)
                return
            if batch.timeout_s is not None or len(batch) > 1:
                self.receiver.look_soon(batch.timeout_s)
            flight = Flight(task, handle.next, time.monotonic_ns())
            handle.next = flight.end
            handle.flights.append(flight)
            handle.send(frame, fds)
            if handle.blocked:
                self.receiver.watch(handle)

    def _send_good(self, task: Task, error: Exception) -> None:
        """A task cannot be sent as a whole: let its bad calls fail, and queue the others."""
        bad = self._outgoing.bad_calls(task)
        if not bad:  # each goes, and together they do not
            self.fail([task], error)
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
            if not task.claimed and not task.batch.claim():
                continue
            count = task.stop - task.start
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
        handle.page[LIMIT] = min(handle.page[LIMIT], flight.first)
        handle.limited_ns = handle.limited_ns or time.monotonic_ns()
        if flight.first <= handle.begun < flight.end:
            handle.killed = handle.begun, error
            handle.kill()
        else:
            self.receiver.look_soon(None)

    def close(self, *, wait: bool, abort: bool) -> None:
        """Let the workers go when all is delivered, or at once."""
        tasks: list[Task] = []
        with self.lock:
            self.closed = True
            if abort:
                tasks += self.queue
                self.queue.clear()
                for handle in self.handles:
                    for flight in handle.flights:
                        if not flight.stopped:
                            flight.stopped = True
                            tasks.append(flight.part(flight.delivered, flight.end))
                    if handle.flights:
                        handle.kill()
        if tasks:
            from concurrent.futures import CancelledError

            self.fail(tasks, CancelledError("the backend was closed"))
        if not self.receiver.close():
            return
        if wait:
            self.drained.wait()

    def let_go(self, handle: Handle) -> None:
        """Have an idle worker of a closed pool end."""
        handle.leave()

    def forget(self, handle: Handle) -> None:
        """A worker is gone; the caller has the lock."""
        handle.dead = True
        self.handles.discard(handle)
        if handle in self.idle:
            self.idle.remove(handle)

    def free_limit(self, handle: Handle) -> None:
        """Nothing that a limit was for is left in a worker; the caller has the lock."""
        if not handle.flights and handle.limited_ns:
            handle.page[LIMIT] = FREE
            handle.limited_ns = 0
