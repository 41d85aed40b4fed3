"""Frames on a stream socket between a parent and one worker, with the descriptors that go along.

Imported by every worker as it starts, so it takes the C modules alone: `socket` would add `selectors`.
"""

from __future__ import annotations

import _socket
import os
from _struct import Struct
from array import array

__all__ = [
    "BATCH",
    "BROKEN",
    "CALL",
    "CALL_BODY",
    "CALL_FRAME",
    "HEAD",
    "LOG",
    "PARK",
    "PORTION",
    "READY",
    "RESULT",
    "RESULT_BODY",
    "RESULT_FRAME",
    "SETUP",
    "UNLOADABLE",
    "WARNING",
    "Inbox",
    "TooManyFiles",
    "ancillary",
    "frame",
]

HEAD = Struct("=IBBHq")
"""Size of what follows, kind, number of descriptors, 0, and a number whose meaning the kind gives."""

SETUP, BATCH, PARK, CALL = 1, 2, 3, 4
"""Kinds of frames to a worker. Number of a BATCH and of a CALL: that of its first call."""

READY, BROKEN, PORTION, UNLOADABLE, LOG, WARNING, RESULT = 17, 18, 19, 20, 21, 22, 23
"""Kinds of frames from a worker. Number of PORTION, UNLOADABLE and RESULT: that of their first call."""

# A call that is alone, of a function that the worker knows, is so frequent that its frames are made in one step each.
CALL_BODY = Struct("=QQ?")
"""Numbers of the function and the context, whether the item is a tuple of arguments; before the pickle of the item."""
CALL_FRAME = Struct(HEAD.format + CALL_BODY.format[1:])
RESULT_BODY = Struct("=qqq")
"""Start, end, CPU time; before the pickle of the value."""
RESULT_FRAME = Struct(HEAD.format + RESULT_BODY.format[1:])

CAPACITY = 1 << 18
MOST_FDS = 253  # SCM_MAX_FD
_SPACE = _socket.CMSG_SPACE(MOST_FDS * 4)


class TooManyFiles(OSError):
    """Descriptors were sent, and this process had no room for them."""


def frame(kind: int, number: int, body: bytes, fds: int = 0) -> bytes:
    """A whole frame."""
    return HEAD.pack(len(body), kind, fds, 0, number) + body


def ancillary(fds: list[int]) -> list[tuple[int, int, array[int]]]:
    """What `sendmsg` wants to send descriptors."""
    return [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array("i", fds))] if fds else []


class Inbox:
    """What came over a socket and was not yet read, as frames."""

    def __init__(self, sock: _socket.socket) -> None:
        self._sock = sock
        self._buffer = memoryview(bytearray(CAPACITY))
        self._all = [self._buffer]
        self._start = 0
        self._end = 0
        self._fds: list[int] = []

    def fill(self, flags: int = _socket.MSG_CMSG_CLOEXEC) -> bool:
        """Receive once; False at the end of the stream.

        Raises:
            BlockingIOError: Nothing is there, and the socket does not block.
            TooManyFiles: Descriptors got lost; what comes is of no use any more.
        """
        start, end, buffer = self._start, self._end, self._buffer
        if start == end:
            self._start = self._end = end = 0
            into = self._all
        else:
            wanted = CAPACITY
            if end - start >= HEAD.size:
                wanted = HEAD.unpack_from(buffer, start)[0] + HEAD.size
            if (start and len(buffer) - start < wanted) or len(buffer) < wanted or end == len(buffer):
                if len(buffer) < wanted:
                    self._all = [memoryview(bytearray(wanted))]
                    self._buffer = self._all[0]
                self._buffer[: end - start] = bytes(buffer[start:end])
                self._start, self._end = 0, end - start
                end, buffer = self._end, self._buffer
            into = [buffer[end:]]
        got, rights, lost, _ = self._sock.recvmsg_into(into, _SPACE, flags)
        for level, kind, data in rights:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                fds = array("i")
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
                self._fds += fds
        if lost & _socket.MSG_CTRUNC:
            raise TooManyFiles("descriptors were lost: too many open files")
        self._end = end + got
        return got > 0

    def frame(self) -> tuple[int, int, memoryview, list[int]] | None:
        """Kind, number, body and descriptors of the next frame, if all of it is there.

        The body is valid until the next `fill`. The descriptors are the caller's to close.
        """
        start = self._start
        if self._end - start < HEAD.size:
            return None
        size, kind, count, _, number = HEAD.unpack_from(self._buffer, start)
        start += HEAD.size
        if self._end - start < size:
            return None
        self._start = start + size
        if count:
            fds, self._fds = self._fds[:count], self._fds[count:]
        else:
            fds = []
        return kind, number, self._buffer[start : start + size], fds

    def close(self) -> None:
        """Close the descriptors that nobody took."""
        for fd in self._fds:
            os.close(fd)
        self._fds = []

    def __bool__(self) -> bool:
        """Whether anything is there, be it a part of a frame."""
        return self._end > self._start
