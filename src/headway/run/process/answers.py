"""What a worker answers: the portion in the making, and the frames that wait to be sent together."""

from __future__ import annotations

import _socket
import _thread
import os
import time
from _pickle import dumps
from _struct import Struct

from headway.run.process import wire
from headway.run.process.payload import LARGE, Parcel, Pickled, dump

TYPE_CHECKING = False  # of `typing`, which would cost every worker some milliseconds
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["ERROR", "HELD_NS", "LAST", "PORTION_HEAD", "QUICK_NS", "SIMPLE", "SIMPLE_TYPES", "Answers"]

PORTION_HEAD = Struct("=IIIqqq")
"""Number of calls, flags, number of errors, start, end, CPU time."""
SIMPLE, LAST = 1, 2
"""Flags: all values are in one pickle; the flight is over."""

ERROR = Struct("=II")
"""Place of a call that failed, size of the pickle that follows."""

SIMPLE_TYPES = frozenset({int, float, str, bytes, bool, type(None), complex})
"""Types whose values are pickled together: they can neither fail nor change."""

QUICK_NS = 200_000
"""Outcomes of shorter calls may wait for more to go along; longer calls are answered one by one."""

HELD_NS = 2_000_000
"""How long they may wait while calls end; while none ends, the flusher comes by as often."""

PATIENCE = 50
"""Rounds without work after which the flusher sleeps until it is woken."""


class Answers:
    """Collects the outcomes of calls and sends them.

    The thread that runs the calls appends to `values` and `errors`, without a lock; the flusher only takes from
    them. All that is sent is sent under the mutex. It is reentrant, since a finalizer may log anywhere.
    """

    def __init__(self, sock: _socket.socket) -> None:
        self.first = 0
        self.values: list[Any] = []
        """What calls returned: simple values as they are, others pickled at once, before they can change."""
        self.errors: dict[int, bytes] = {}
        """What they raised, pickled; here before there is a place for it in `values`."""
        self.ended_ns = 0
        self.flushed_ns = 0
        self._sock = sock
        self._clock = time.pthread_getcpuclockid(_thread.get_ident())
        self._mutex = _thread.RLock()
        self._sent = 0
        self._since_ns = 0
        self._cpu_ns = 0
        self._held: list[bytes] = []
        self._turns = 0
        self._gate = _thread.allocate_lock()
        self._gate.acquire()
        self._flusher = "none"

    def clocks(self) -> tuple[int, int]:
        """The time, and the CPU time of the thread that runs the calls."""
        return time.monotonic_ns(), time.clock_gettime_ns(self._clock)

    def begin(self, first: int, count: int) -> int:
        """A flight begins; returns when."""
        now_ns, cpu_ns = self.clocks()
        self.begin_at(now_ns, cpu_ns, first, count)
        return now_ns

    def begin_at(self, now_ns: int, cpu_ns: int, first: int, count: int) -> None:
        """A flight began."""
        with self._mutex:  # or the flusher might take the last flight's values for those of this one
            self.first = first
            self._sent = 0
            self.values = []
            self.errors = {}
            self._since_ns = self.ended_ns = now_ns
            self._cpu_ns = cpu_ns
            if not self._held:
                self.flushed_ns = now_ns
        if count > 1 or self._held:
            self._wake_flusher()

    def pickle(self, place: int, value: object, fn: object) -> Pickled | None:
        """Pickle what a call of a function returned; if that cannot be, the call has failed."""
        try:
            return dump(value)[0]
        except BaseException as error:  # pickling runs code of others
            from headway.run.process.unpicklable import cannot_return

            self.fail(place, cannot_return(value, fn, error))
            return None

    def fail(self, place: int, error: BaseException) -> None:
        """A call has failed."""
        from headway.run.process.failure import pack_failure

        self.errors[place] = pack_failure(error)

    def end(self, more: bool) -> None:
        """The flight is over; with more of them to come its answer may wait."""
        with self._mutex:
            self._pack(LAST)
            if not more or self.ended_ns - self.flushed_ns > HELD_NS:
                self._send_held()

    def result(self, number: int, value: object, began_ns: int, cpu_ns: int, more: bool) -> bool:
        """Answer a call that was alone in its flight; False if its value needs more than a RESULT has.

        Args:
            number: Of the call.
            value: What it returned, of a type in `SIMPLE_TYPES`.
            began_ns: When it began.
            cpu_ns: The CPU time then.
            more: As for `end`.
        """
        ended_ns, cpu_end_ns = self.clocks()
        data = dumps(value, 5)
        if len(data) >= LARGE:
            return False
        frame = wire.RESULT_FRAME.pack(
            wire.RESULT_BODY.size + len(data),
            wire.RESULT,
            0,
            0,
            number,
            began_ns,
            ended_ns,
            cpu_end_ns - cpu_ns,
        )
        with self._mutex:
            if not more and not self._held:
                self.flushed_ns = ended_ns
                self._sock.sendall(frame + data)
                return True
            if not self._held:
                self.flushed_ns = began_ns
            self._held.append(frame + data)
            if not more or ended_ns - self.flushed_ns > HELD_NS:
                self._send_held()
        return True

    def send_ended(self) -> None:
        """Send the outcomes that are there."""
        with self._mutex:
            self._pack(0)
            self._send_held()

    def hurry(self) -> None:
        """A call begins that may take long: what is held does not wait for its end."""
        if self._held:
            self._wake_flusher()

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            with self._mutex:
                self._send_held()

    def post(self, frame: bytes) -> None:
        """Send a frame soon, in its order; from any thread."""
        with self._mutex:
            self._held.append(frame)
        self._wake_flusher()

    def send(self, frame: bytes, fds: Sequence[int] = ()) -> None:
        """Send a frame now, and before it what is held."""
        with self._mutex:
            self._send_held()
            sent = self._sock.sendmsg([frame], wire.ancillary(list(fds)))
            if sent < len(frame):
                self._sock.sendall(memoryview(frame)[sent:])

    def _pack(self, flags: int) -> None:
        """Make a frame of what has ended since the last one."""
        sent, end = self._sent, len(self.values)
        if sent == end and not flags & LAST:
            return
        values = self.values[sent:end] if sent or not flags & LAST else self.values
        errors: list[tuple[int, bytes]] = []
        if self.errors:
            errors = [(place, self.errors[place]) for place in range(sent, end) if place in self.errors]
        if tuple not in map(type, values):
            flags |= SIMPLE
        cpu_ns = time.clock_gettime_ns(self._clock)
        parcel = Parcel()
        spent_ns = cpu_ns - self._cpu_ns
        parcel.add(PORTION_HEAD.pack(end - sent, flags, len(errors), self._since_ns, self.ended_ns, spent_ns))
        for place, data in errors:
            parcel.add(ERROR.pack(place - sent, len(data)) + data)
        if flags & SIMPLE:
            parcel.put((dumps(values, 5), []))
        else:
            for value in values:
                parcel.put(value if type(value) is tuple else (dumps(value, 5), []))
            if not flags & LAST:
                self.values[sent:end] = [None] * (end - sent)
        frame = wire.frame(wire.PORTION, self.first + sent, parcel.body(), len(parcel.fds))
        self._since_ns, self._cpu_ns = self.ended_ns, cpu_ns
        self._sent = end
        if parcel.fds:
            self.send(frame, parcel.fds)
            parcel.close()
        else:
            self._held.append(frame)

    def _send_held(self) -> None:
        self.flushed_ns = time.monotonic_ns()
        if self._held:
            data = self._held[0] if len(self._held) == 1 else b"".join(self._held)
            self._held.clear()
            self._sock.sendall(data)

    # The flusher: a thread that sends what waits while a call takes long

    def _wake_flusher(self) -> None:
        with self._mutex:
            self._turns += 1
            if self._flusher == "awake":
                return
            if self._flusher == "none":
                _thread.start_new_thread(self._keep_flushing, ())
            self._flusher = "awake"
            self._gate.release()

    def _keep_flushing(self) -> None:
        try:
            while True:
                self._gate.acquire()
                idle = 0
                while idle < PATIENCE:
                    turns = self._turns
                    time.sleep(HELD_NS / 1e9)
                    with self._mutex:
                        if len(self.values) > self._sent or self._held:
                            self.send_ended()
                        idle = 0 if self._turns != turns else idle + 1
                        if idle >= PATIENCE:
                            self._flusher = "asleep"
        except OSError:  # the parent is gone
            os._exit(1)
