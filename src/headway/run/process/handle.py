"""One worker process, as its parent sees it."""

from __future__ import annotations

import _socket
import _thread
import contextlib
import os
import signal
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from headway.run.process import wire
from headway.run.process.flight import Flight, Task
from headway.run.process.page import BEGUN, LIMIT, STOP
from headway.run.process.spin import Spin

if TYPE_CHECKING:
    from headway.run.process.spawn import Surroundings

__all__ = ["Exit", "Handle"]


class Exit(NamedTuple):
    """How a process ended; both None if nobody could tell."""

    code: int | None
    signal: int | None


class Handle:
    """A worker process, its socket, and what it has to do. Guarded by the lock of its pool."""

    def __init__(
        self,
        pid: int,
        pidfd: int,
        sock: _socket.socket,
        page: memoryview[int],
        fault_fd: int,
        lifeline: int,
        surroundings: Surroundings,
    ) -> None:
        self.pid = pid
        self.name = f"process {pid}"
        self.pidfd = pidfd
        self.sock = sock
        self.page = page
        self.inbox = wire.Inbox(sock)
        self.flights: deque[Flight] = deque()
        self.next = 1
        """The number of the next call that is sent to it."""
        self.ready = False
        self.taken = False
        """Whether some thread is about to send it a batch."""
        self.hand: Task | None = None
        """What that thread is about to send."""
        self.lead = _thread.allocate_lock()
        """Held by the thread that waits for its call and listens to it, instead of the receiver. A lock, since that is
        let go in whatever moment a handler of a signal raises."""
        self.poller: Any = None
        """What a leader waits with."""
        self.spin = Spin()
        """Whether a leader looks before it waits."""
        self.read = False
        """Whether the receiver is about to read from it."""
        self.ended = False
        """Whether nothing more can come from it."""
        self.dead = False
        self.known: dict[int, None] = {}
        """Functions that it remembers, the oldest first."""
        self.killed: tuple[int, BaseException] | None = None
        """The call for which we killed it, and what became of that call."""
        self.limited_ns = 0
        """When its limit was set, so that others get its calls; 0 if it has none."""
        self.seen = (-1, 0)
        """The last call it was seen to have begun, and when it was seen first."""
        self.context = 0
        """The context that it has."""
        self.surroundings = surroundings
        self.local: tuple[bytes, ...] = ()
        """The modules of which things went by value when it was set up."""
        self.adopted = False
        """Whether it comes from the reserve."""
        self.parked = False
        """Whether it is in the reserve."""
        self.leaves_ns = 0
        """When it is killed if it has not ended by then; 0 if it need not end."""
        self.released = False
        self._fault_fd = fault_fd
        self._lifeline = lifeline
        self._outbox: deque[tuple[memoryview, list[int]]] = deque()

    @property
    def begun(self) -> int:
        """The number of the last call that it began."""
        return self.page[BEGUN]

    def limit(self, number: int) -> None:
        """Have it begin no call from a number on, if it has not yet begun that."""
        if self.limited_ns:
            number = min(number, self.page[LIMIT])
        # invariant: LIMIT before STOP, which says that there is one.
        self.page[LIMIT] = number
        self.page[STOP] = 1
        self.limited_ns = time.monotonic_ns()

    def free(self) -> None:
        """Take the limit away, when nothing that it was for is left."""
        if self.limited_ns and not self.flights:
            self.page[STOP] = 0
            self.limited_ns = 0

    @property
    def blocked(self) -> bool:
        """Whether something waits until the socket takes more."""
        return bool(self._outbox)

    def send(self, frame: bytes, fds: list[int] | None = None) -> None:
        """Send a frame, or keep what the socket does not take for `send_more`. Closes the descriptors, in time."""
        if not fds and not self._outbox:
            try:
                sent = self.sock.send(frame)
            except BlockingIOError:
                sent = 0
            except OSError:  # it died; its pidfd says so, too
                return
            if sent < len(frame):
                self._outbox.append((memoryview(frame)[sent:], []))
            return
        self._outbox.append((memoryview(frame), fds or []))
        if len(self._outbox) == 1:
            self.send_more()

    def send_more(self) -> None:
        """Send what waits, as far as the socket takes it."""
        while self._outbox:
            data, fds = self._outbox[0]
            try:
                sent = self.sock.sendmsg([data], wire.ancillary(fds)) if fds else self.sock.send(data)
            except BlockingIOError:
                return
            except OSError:  # it died; its pidfd says so, too
                self._drop_outbox()
                return
            for fd in fds:
                os.close(fd)
            if sent == len(data):
                self._outbox.popleft()
            else:
                self._outbox[0] = data[sent:], []

    def kill(self) -> None:
        """Send SIGKILL; that it is dead is seen later."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def fault(self) -> str:
        """What faulthandler wrote in it."""
        return os.pread(self._fault_fd, 20_000, 0).decode(errors="replace")

    def reap(self) -> Exit:
        """Take the exit status of a dead worker, and let go of all that belonged to it."""
        code = killed = None
        try:
            info = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED)
            if info is not None:
                if info.si_code == os.CLD_EXITED:
                    code = info.si_status
                else:
                    killed = info.si_status
        except ChildProcessError:  # someone else waited for it, or SIGCHLD is ignored
            pass
        self.release()
        return Exit(code, killed)

    def hang_up(self) -> None:
        """Have it end when it has done what it has."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(_socket.SHUT_WR)

    def release(self) -> None:
        """Close what belongs to the worker; if it lives, it is killed."""
        if self.released:
            return
        self.released = True
        self._drop_outbox()
        self.inbox.close()
        self.sock.close()
        for fd in (self.pidfd, self._fault_fd, self._lifeline):
            os.close(fd)

    def _drop_outbox(self) -> None:
        for _, fds in self._outbox:
            for fd in fds:
                os.close(fd)
        self._outbox.clear()
