"""The worker: the program that runs in a worker process.

It is imported by every worker as it starts, so it takes the C modules alone where there is a choice.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` would add `enum`
import _socket
import atexit
import fcntl
import os
import sys
import time
from _pickle import loads
from _struct import Struct
from contextvars import Context

from headway.run.process import segments, wire
from headway.run.process.answers import HELD_NS, QUICK_NS, SIMPLE_TYPES, Answers
from headway.run.process.page import BEGUN, LIMIT, LOADING, SPIN, STARTED, STOP, map_page
from headway.run.process.payload import Segments, load
from headway.run.process.records import Forwarder
from headway.run.process.spin import Spin
from headway.run.process.variables import make_context

TYPE_CHECKING = False  # of `typing`, which would cost every worker some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

__all__ = ["BATCH_HEAD", "FDS", "HAS_CALL", "HAS_CONTEXT", "MOST_CALLS", "NO_MEMORY", "STAR", "TIMED", "main"]

FDS = (3, 4, 5, 6)
"""Where a worker finds its socket, its page, its lifeline and the file for faulthandler."""

BATCH_HEAD = Struct("=QIIQ")
"""Number of the function, number of calls, flags, number of the context."""
STAR, TIMED, HAS_CALL, HAS_CONTEXT = 1, 2, 4, 8

MOST_CALLS = 16
"""Functions a worker remembers; its parent counts along, see `Handle.known`."""

NO_MEMORY = 79
"""The exit code of a worker that has no memory for its own work."""

LINGER_MS = 50
"""How long an idle worker keeps segments for what may come next."""

OF_CALL, OF_ITEMS = b"c", b"i"
"""What could not be loaded, the first byte of UNLOADABLE and BROKEN: the function, or else."""


def main() -> None:
    """Serve the parent until it closes its end or dies."""
    # Ctrl-C reaches the whole process group. What runs here ends when the parent says so. A handler, and not
    # SIG_IGN, because a program that a call starts would inherit that.
    _signal.signal(_signal.SIGINT, lambda signum, frame: None)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    _hold_lifeline(FDS[2])
    import faulthandler

    # Of the other threads it would print first, and may fail at it.
    faulthandler.enable(FDS[3], all_threads=False)
    worker = Worker(_socket.socket(fileno=FDS[0]), map_page(FDS[1]))
    os.close(FDS[1])
    for fd in (FDS[0], FDS[3]):
        os.set_inheritable(fd, False)
    os.register_at_fork(after_in_child=worker.forked)
    try:
        worker.serve()
    except OSError:  # the parent is gone
        os._exit(1)
    except (MemoryError, SystemError) as error:  # not in a call, and not even enough to tell
        # Python, too, may lose a MemoryError on its way, which becomes a SystemError.
        if isinstance(error, SystemError) and not worker.limited:
            raise
        os._exit(NO_MEMORY)
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
    """Runs what the parent sends."""

    def __init__(self, sock: _socket.socket, page: memoryview[int]) -> None:
        self._sock = sock
        self._page = page
        self._stop = page.cast("B")[8 * STOP : 8 * STOP + 1]
        self._inbox = wire.Inbox(sock)
        self._answers = Answers(sock)
        self._forwarder = Forwarder(self._answers.post)
        self._calls: dict[int, tuple[Any, Any] | BaseException] = {}
        self._context: tuple[int, Context] = 0, Context()
        self._spin = Spin()
        self.limited = False
        """Whether it may allocate only so much."""
        self._forked = False
        self._started_s = time.time()

    def forked(self) -> None:
        """A call forked, and this is the child: leave the parent's things alone, and never serve."""
        self._forked = True
        for fd in (self._sock.detach(), FDS[2], FDS[3]):
            os.close(fd)

    def serve(self) -> None:
        """Answer frames until the parent closes its end."""
        inbox, answers, page, spin = self._inbox, self._answers, self._page, self._spin
        working = False
        while True:
            frame = inbox.frame()
            if frame is None:
                answers.flush()
                if working and not self._comes_soon():
                    segments.keep(-1)
                    working = False
                if page[SPIN]:
                    began_ns = time.monotonic_ns()
                    alive = spin.look(inbox, began_ns) if spin.pays() else None
                    if alive is None:
                        alive = inbox.fill()
                    spin.waited(began_ns)
                else:
                    alive = inbox.fill()
                if not alive:
                    return
                continue
            kind, number, body, fds = frame
            if kind == wire.CALL:
                self._single(number, body)
                continue
            came = Segments(fds)
            if kind == wire.BATCH:
                if fds and not working:
                    segments.keep(1)
                    working = True
                self._batch(number, body, came)
            elif kind == wire.SETUP:
                self._set_up(body, came)
            elif kind == wire.PARK:
                self._calls.clear()
                self._context = 0, Context()
                if "headway.run.process.cached" in sys.modules:
                    sys.modules["headway.run.process.cached"].forget()
            came.close()

    def _comes_soon(self) -> bool:
        import select

        poller = select.poll()
        poller.register(FDS[0], select.POLLIN)
        return bool(poller.poll(LINGER_MS))

    def _set_up(self, body: memoryview, came: Segments) -> None:
        settings, offset = load(body, 0, came)
        if settings["adopted"] and self._stale():
            os._exit(0)  # before READY: the parent starts another
        sys.argv[:] = settings["argv"]
        self._forwarder.set_up(settings["levels"], settings["filters"])
        self.limited = settings["memory_bytes"] is not None
        if self.limited and not settings["adopted"]:
            _limit_memory(settings["memory_bytes"])
        part = OF_CALL
        try:
            given, _ = load(body, offset, came)
            if given is not None:
                initializer, initargs = given
                part = OF_ITEMS
                initializer(*initargs)
        except BaseException as error:
            if self._forked:
                os._exit(1)
            from headway.run.process.failure import pack_failure

            self._answers.send(wire.frame(wire.BROKEN, 0, part + pack_failure(error)))
            return
        if self._forked:
            os._exit(0)
        _flush_stdio()
        self._answers.send(wire.frame(wire.READY, os.getpid(), b""))

    def _stale(self) -> bool:
        """Whether a module of the program has changed since this process began."""
        ours = (sys.prefix, sys.base_prefix)
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and not path.startswith(ours):
                try:
                    if os.stat(path).st_mtime > self._started_s:
                        return True
                except OSError:
                    return True
        return False

    def _batch(self, first: int, body: memoryview, came: Segments) -> None:
        call_id, count, flags, context_id = BATCH_HEAD.unpack_from(body)
        page, answers = self._page, self._answers
        page[LOADING] = first
        part = OF_CALL
        try:
            offset = BATCH_HEAD.size
            if flags & HAS_CONTEXT:
                data, offset = load(body, offset, came)
                self._context = context_id, make_context(data)
            elif context_id == 0 and self._context[0]:
                self._context = 0, Context()
            context = self._context[1].copy()
            if flags & HAS_CALL:
                if len(self._calls) == MOST_CALLS:
                    del self._calls[next(iter(self._calls))]
                try:
                    self._calls[call_id], offset = context.run(load, body, offset, came)
                except BaseException as error:
                    self._calls[call_id] = error  # the parent counts it, whether it loads or not
                self._forwarder.catch_up()
            call = self._calls[call_id]
            if isinstance(call, BaseException):
                raise call
            fn, kwargs = call
            part = OF_ITEMS
            items, _ = context.run(load, body, offset, came)
        except BaseException as error:  # unpickling runs code of others
            page[LOADING] = 0
            self._unloadable(first, part, error)
            return
        page[LOADING] = 0
        wanted = not (self._stop[0] and first >= page[LIMIT])
        if wanted:
            sys.audit("headway.begins", self, first, fn)
        began_ns = answers.begin(first, count)
        context.run(self._run, fn, items, flags, kwargs, first, first + count, began_ns)
        if wanted:
            sys.audit("headway.ends", first, bool(answers.errors))
        del items
        self._flush()
        answers.end(more=bool(self._inbox))

    def _flush(self) -> None:
        """The calls of a flight are over; a child that one of them forked ends here."""
        _flush_stdio()
        if self._forked:
            os._exit(0)

    def _unloadable(self, first: int, part: bytes, error: BaseException) -> None:
        from headway.run.process.failure import pack_failure

        self._answers.send(wire.frame(wire.UNLOADABLE, first, part + pack_failure(error)))

    def _single(self, number: int, body: memoryview) -> None:
        """Do what `_batch` does, for one call of a function that is here and whose arguments run no code of others."""
        answers, page = self._answers, self._page
        call_id, context_id, star = wire.CALL_BODY.unpack_from(body)
        if context_id == 0 and self._context[0]:
            self._context = 0, Context()
        part = OF_CALL
        try:
            call = self._calls[call_id]
            if isinstance(call, BaseException):
                raise call
            part = OF_ITEMS
            item = loads(body[wire.CALL_BODY.size :])
        except BaseException as error:
            self._unloadable(number, part, error)
            return
        fn, kwargs = call
        context, quick = self._context[1].copy(), False
        answers.hurry()
        sys.audit("headway.begins", self, number, fn)
        began_ns, cpu_ns = answers.clocks()
        page[BEGUN] = number  # before STOP is read, see `_run`
        if self._stop[0] and number >= page[LIMIT]:
            page[BEGUN] = number - 1
            sys.audit("headway.ends", number, False)
            answers.begin_at(began_ns, cpu_ns, number, 1)
            answers.end(more=bool(self._inbox))
            return
        try:
            value = context.run(fn, *(item if star else (item,)), **kwargs)
        except BaseException as error:  # whatever a call raises is its outcome, SystemExit too
            value = None
            if not self._forked:
                answers.begin_at(began_ns, cpu_ns, number, 1)
                context.run(answers.fail, 0, error)
        else:
            quick = type(value) in SIMPLE_TYPES
            if not quick and not self._forked:
                answers.begin_at(began_ns, cpu_ns, number, 1)
                value = context.run(answers.pickle, 0, value, fn)
        sys.audit("headway.ends", number, not quick and bool(answers.errors))
        self._flush()
        more = bool(self._inbox)
        if quick:
            if answers.result(number, value, began_ns, cpu_ns, more):
                return
            answers.begin_at(began_ns, cpu_ns, number, 1)
        answers.values.append(value)
        answers.ended_ns = time.monotonic_ns()
        answers.end(more)

    def _run(
        self,
        fn: Callable[..., Any],
        items: Iterable[Any],
        flags: int,
        kwargs: Mapping[str, Any],
        number: int,
        end: int,
        began_ns: int,
    ) -> None:
        page, stop, answers, now_ns, simple = (
            self._page,
            self._stop,
            self._answers,
            time.monotonic_ns,
            SIMPLE_TYPES,
        )
        star, timed = flags & STAR, flags & TIMED
        add = answers.values.append
        first = number
        if kwargs:
            import functools

            fn = functools.partial(fn, **kwargs)
        for item in items:
            if timed:
                # Subtle: before BEGUN, so that a reader never takes an older start for that of this call.
                page[STARTED] = now_ns()
            # Subtle: BEGUN before STOP is read, the reverse of the parent, who writes STOP before it reads BEGUN:
            # at least one of the two sees the other's store. See README.md.
            page[BEGUN] = number
            if stop[0] and number >= page[LIMIT]:
                page[BEGUN] = number - 1
                return
            try:
                value = fn(*item) if star else fn(item)
            except BaseException as error:  # whatever a call raises is its outcome, SystemExit too
                if self._forked:
                    return
                value = None
                answers.fail(number - first, error)
            else:
                if type(value) not in simple and not self._forked:
                    value = answers.pickle(number - first, value, fn)
            if self._forked:
                return
            if timed:
                page[STARTED] = 0
            add(value)
            number += 1
            answers.ended_ns = ended_ns = now_ns()
            slow = ended_ns - began_ns > QUICK_NS or ended_ns - answers.flushed_ns > HELD_NS
            if slow and number < end:
                answers.send_ended()
            began_ns = ended_ns


def _limit_memory(more: int) -> None:
    """Let this process allocate so much more than it has, and no more."""
    import resource

    with open("/proc/self/statm", encoding="ascii") as file:
        has = int(file.read().split()[5]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    most = has + more
    resource.setrlimit(
        resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
    )
