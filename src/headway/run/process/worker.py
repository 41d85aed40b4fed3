"""The worker: the program that runs in a worker process.

It is imported by every worker as it starts, so it takes the C modules alone where there is a choice.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` would add `enum`
import _socket
import _thread
import atexit
import fcntl
import os
import sys
import time
from _pickle import dumps, loads
from _struct import Struct

from headway.run.process import wire
from headway.run.process.page import BEGUN, LIMIT, LOADING, STARTED, map_page
from headway.run.process.payload import Parcel, Pickled, Segments, dump, load

TYPE_CHECKING = False  # of `typing`, which would cost every worker some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

__all__ = [
    "BATCH_HEAD",
    "FDS",
    "HAS_CALL",
    "LAST",
    "PORTION_HEAD",
    "SIMPLE",
    "STAR",
    "TIMED",
    "inside",
    "main",
]

FDS = (3, 4, 5, 6)
"""Where a worker finds its socket, its page, its lifeline and the file for faulthandler."""

BATCH_HEAD = Struct("=QIIQ")
"""Number of the function, number of calls, flags, number of the context."""
STAR, TIMED, HAS_CALL, HAS_CONTEXT = 1, 2, 4, 8

PORTION_HEAD = Struct("=IIIqqq")
"""Number of calls, flags, number of errors, start, end, CPU time."""
SIMPLE, LAST = 1, 2
ERROR = Struct("=II")  # place, size

MOST_CALLS = 16
"""Functions a worker remembers; its parent counts along, see `Handle.known`."""

SIMPLE_TYPES = frozenset({int, float, str, bytes, bool, type(None), complex})
"""Types whose values are pickled together: they can neither fail nor change."""

QUICK_NS = 200_000
"""Outcomes of shorter calls may wait for more to go along; longer calls are answered one by one."""
HELD_NS = 2_000_000
"""How long they may wait while calls end, and at the latest until the flusher comes by."""

_worker: Worker | None = None


def inside() -> bool:
    """Whether this process is a worker."""
    return _worker is not None


def main() -> None:
    """Serve the parent until it closes its end or dies."""
    global _worker
    # Ctrl-C reaches the whole process group. What runs here ends when the parent says so. A handler, and not
    # SIG_IGN, because a program that a call starts would inherit that.
    _signal.signal(_signal.SIGINT, lambda signum, frame: None)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    _hold_lifeline(FDS[2])
    import faulthandler

    faulthandler.enable(FDS[3])
    worker = _worker = Worker(_socket.socket(fileno=FDS[0]), map_page(FDS[1]))
    os.close(FDS[1])
    for fd in (FDS[0], FDS[3]):
        os.set_inheritable(fd, False)
    os.register_at_fork(after_in_child=worker.forked)
    try:
        worker.serve()
    except OSError:  # the parent is gone
        os._exit(1)
    _leave()


def _hold_lifeline(fd: int) -> None:
    """Have the kernel kill this process the moment its parent is gone, whatever it does then."""
    # The parent alone has the other end of this pipe. When that closes the kernel signals the owner of this one.
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(fd, 10, _signal.SIGKILL)  # F_SETSIG, which `fcntl` does not name
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    os.set_inheritable(fd, False)
    try:
        gone = os.read(fd, 1) == b""  # it may have died before
    except BlockingIOError:
        gone = False
    if gone:
        os._exit(1)


def _leave() -> None:
    """End the process as Python does, without the seconds that taking everything apart may need."""
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
    atexit._run_exitfuncs()
    _flush_stdio()
    os._exit(0)


def _flush_stdio() -> None:
    for file in (sys.stdout, sys.stderr):
        try:
            file.flush()
        except (AttributeError, OSError, ValueError):  # none, or closed
            continue


class Worker:
    """Runs what the parent sends and answers in portions."""

    def __init__(self, sock: _socket.socket, page: memoryview[int]) -> None:
        self._sock = sock
        self._page = page
        self._inbox = wire.Inbox(sock)
        self._calls: dict[int, tuple[Any, Any]] = {}
        self._forked = False
        self._clock = time.pthread_getcpuclockid(_thread.get_ident())
        # The portion in the making. The main thread appends, the flusher only takes.
        self._mutex = _thread.allocate_lock()
        self._first = 0
        self._values: list[Any] = []
        self._errors: dict[int, bytes] = {}
        self._sent = 0
        self._since_ns = 0
        self._ended_ns = 0
        self._cpu_ns = 0
        self._held: list[bytes] = []
        self._flushed_ns = 0
        self._turns = 0
        self._gate = _thread.allocate_lock()
        self._gate.acquire()
        self._flusher = 0  # 0 not started, 1 asleep, 2 awake

    def forked(self) -> None:
        """A call forked, and this is the child: leave the parent's things alone, and never serve."""
        self._forked = True
        for fd in (self._sock.detach(), FDS[2], FDS[3]):
            os.close(fd)

    def serve(self) -> None:
        """Answer frames until the parent closes its end."""
        inbox = self._inbox
        while True:
            frame = inbox.frame()
            if frame is None:
                self._flush()
                if not inbox.fill():
                    return
                continue
            kind, number, body, fds = frame
            segments = Segments(fds)
            if kind == wire.BATCH:
                self._batch(number, body, segments)
            elif kind == wire.SETUP:
                setup = loads(body)
                self._set_up(setup)
                del setup
            segments.close()

    def _set_up(self, setup: dict[str, Any]) -> None:
        sys.argv[:] = setup["argv"]
        self._send(wire.frame(wire.READY, os.getpid(), b""))

    # Calls

    def _batch(self, first: int, body: memoryview, segments: Segments) -> None:
        call_id, count, flags, _ = BATCH_HEAD.unpack_from(body)
        page = self._page
        page[LOADING] = first
        try:
            offset = BATCH_HEAD.size
            if flags & HAS_CALL:
                if len(self._calls) == MOST_CALLS:
                    del self._calls[next(iter(self._calls))]
                self._calls[call_id] = None, None  # the parent counts it, whether it loads or not
                self._calls[call_id], offset = load(body, offset, segments)
            fn, kwargs = self._calls[call_id]
            items, _ = load(body, offset, segments)
        except BaseException as error:
            page[LOADING] = 0
            self._flush()
            from headway.run.process.failure import pack_failure

            self._send(wire.frame(wire.UNLOADABLE, first, pack_failure(error)))
            return
        page[LOADING] = 0
        del body
        self._first = first
        self._sent = 0
        self._values = []
        self._errors = {}
        self._since_ns = time.monotonic_ns()
        self._cpu_ns = time.clock_gettime_ns(self._clock)
        if not self._held:
            self._flushed_ns = self._since_ns
        if count > 1 or self._held:
            self._wake_flusher()
        self._run(fn, items, flags & STAR, kwargs, flags & TIMED)
        del items
        if self._forked:
            _flush_stdio()
            os._exit(0)
        _flush_stdio()
        with self._mutex:
            self._pack(LAST)
        if not self._inbox or self._ended_ns - self._flushed_ns > HELD_NS:
            self._flush()

    def _run(
        self, fn: Callable[..., Any], items: Sequence[Any], star: int, kwargs: dict[str, Any], timed: int
    ) -> None:
        page, now_ns, simple = self._page, time.monotonic_ns, SIMPLE_TYPES
        values = self._values
        number = self._first
        began = self._since_ns
        for item in items:
            if timed:
                # Subtle: before BEGUN, so that a reader never takes an older start for that of this call.
                page[STARTED] = now_ns()
            # Subtle: BEGUN before LIMIT is read, the reverse of the parent, who writes LIMIT before it reads BEGUN:
            # at least one of the two sees the other's store. See README.md.
            page[BEGUN] = number
            if number >= page[LIMIT]:
                page[BEGUN] = number - 1
                break
            try:
                if star:
                    value = fn(*item, **kwargs) if kwargs else fn(*item)
                else:
                    value = fn(item, **kwargs) if kwargs else fn(item)
            except BaseException as error:  # whatever a call raises is its outcome, SystemExit too
                value = None
                self._fail(len(values), error)
            else:
                if type(value) not in simple:
                    value = self._pickle(len(values), value)
            if self._forked:
                return
            if timed:
                page[STARTED] = 0
            number += 1
            values.append(value)
            self._ended_ns = ended = now_ns()
            if (
                ended - began > QUICK_NS or ended - self._flushed_ns > HELD_NS
            ) and number - self._first < len(items):
                with self._mutex:
                    self._pack(0)
                self._flush()
            began = ended

    def _fail(self, place: int, error: BaseException) -> None:
        from headway.run.process.failure import pack_failure

        self._errors[place] = pack_failure(error)

    def _pickle(self, place: int, value: object) -> Pickled | None:
        try:
            return dump(value)[0]
        except BaseException as error:
            from headway.run.process.unpicklable import cannot_send

            self._fail(place, cannot_send(value, "result", error))
            return None

    # Answers

    def _pack(self, flags: int) -> None:
        """Make a frame of what has ended since the last one; the caller has the mutex."""
        sent, end = self._sent, len(self._values)
        if sent == end and not flags & LAST:
            return
        values = self._values[sent:end] if sent else self._values[:end]
        errors = (
            [(place, self._errors[place]) for place in range(sent, end) if place in self._errors]
            if self._errors
            else ()
        )
        cpu_ns = time.clock_gettime_ns(self._clock)
        parcel = Parcel()
        if all(type(value) is not tuple for value in values):
            flags |= SIMPLE
        parcel.add(
            PORTION_HEAD.pack(
                end - sent, flags, len(errors), self._since_ns, self._ended_ns, cpu_ns - self._cpu_ns
            )
        )
        for place, data in errors:
            parcel.add(ERROR.pack(place - sent, len(data)) + data)
        if flags & SIMPLE:
            parcel.put((dumps(values, 5), []))
        else:
            for value in values:
                parcel.put(value if type(value) is tuple else (dumps(value, 5), []))
        frame = wire.frame(wire.PORTION, self._first + sent, parcel.body(), len(parcel.fds))
        self._since_ns, self._cpu_ns = self._ended_ns, cpu_ns
        if not flags & (SIMPLE | LAST):
            self._values[sent:end] = [None] * (end - sent)
        self._sent = end
        if parcel.fds:
            self._send_held()
            self._send(frame, parcel.fds)
            parcel.close()
        else:
            self._held.append(frame)

    def _flush(self) -> None:
        """Send what is held."""
        if self._held:
            with self._mutex:
                self._send_held()

    def _send_held(self) -> None:
        self._flushed_ns = time.monotonic_ns()
        if self._held:
            data = b"".join(self._held)
            self._held.clear()
            self._sock.sendall(data)

    def _send(self, frame: bytes, fds: Sequence[int] = ()) -> None:
        sent = self._sock.sendmsg([frame], wire.ancillary(list(fds)))
        if sent < len(frame):
            self._sock.sendall(memoryview(frame)[sent:])

    # The flusher: a thread that sends what waits while a call takes long

    def _wake_flusher(self) -> None:
        with self._mutex:
            self._turns += 1
            if self._flusher == 2:
                return
            if self._flusher == 0:
                _thread.start_new_thread(self._keep_flushing, ())
            self._flusher = 2
            self._gate.release()

    def _keep_flushing(self) -> None:
        try:
            while True:
                self._gate.acquire()
                idle = 0
                while True:
                    turns = self._turns
                    time.sleep(HELD_NS / 1e9)
                    with self._mutex:
                        if len(self._values) > self._sent:
                            self._pack(0)
                        if self._held:
                            self._send_held()
                            continue
                        idle = 0 if self._turns != turns else idle + 1
                        if idle > 50:
                            self._flusher = 1
                            break
        except OSError:  # the parent is gone
            os._exit(1)
