"""What the threads of a process do now, read from its file while it writes: only what that takes, without NumPy."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

# As in native/record.h; a test compares them with `format`, which needs NumPy.
NOBODY = 0xFFFFFFFF
AFAR = 0xFFFFFFFD
LOCK, CONDITION, EVENT, QUEUE, JOIN, FUTURE = range(6, 12)
IO, POLL = 13, 3
PROCESS = 14
MAIN = 1
STACKS, HANDLERS, ON_SIGNAL = 16, 64, 8192
HEADER = struct.Struct("<8sII I4xQ 8xQ II 56xQ")
"""magic, version, header_bytes, pid, start_ns, end_ns, end, flags, untracked_threads"""
SECTION = struct.Struct("<QIII 4x8x")
"""offset, stride, capacity, count"""
THREADS_AT = 120
"""Where in the header the section of threads is."""
LOCKS_AT = THREADS_AT + 2 * SECTION.size
THREAD = struct.Struct("<IIIIQQQ 72x II IIQQ IIII")
"""The part of a slot that says what its thread does."""
OWNER = struct.Struct("<I4x 72x xxxx II")
"""Of a lock: ready, foreign_posts, owner."""
SHARED = struct.Struct("<I4x 80x xxxx I")
"""Of a lock: ready, shared."""

_MAGIC = b"HEADWAY\0"
_AT_ONCE = 1024


class Slot(NamedTuple):
    """What a thread does. Fields as in struct hw_thread."""

    ready: int
    version: int
    tid: int
    creator: int
    created_ns: int
    begun_ns: int
    end_ns: int
    create_stack: int
    flags: int
    kind: int
    holds: int
    since_ns: int
    hold_since_ns: int
    a: int
    b: int
    c: int
    d: int

    @property
    def enclosed(self) -> bool:
        """Whether it waits for what only its own process can do, without a time limit."""
        return LOCK <= self.kind <= FUTURE and self.d == NOBODY

    @property
    def afar(self) -> bool:
        """Whether it waits, without a time limit, for what a thread of another process may have."""
        return LOCK <= self.kind <= FUTURE and self.d == AFAR

    @property
    def polls(self) -> bool:
        """Whether it waits for any of some descriptors, or for a time."""
        return self.kind == IO and self.c == POLL


class Slots:
    """The threads of one process file that have not ended; each reading looks at those and at new ones only.

    Args:
        path: A `.hw` file.

    Attributes:
        pid, start_ns: Of the process image.
        ended: It has said that it ends.
        flags: Of the header.
        untracked: Threads that have no slot.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pid = self.start_ns = self.flags = self.untracked = 0
        self.ended = False
        self._live: list[int] = []
        self._known = 0

    def read(self) -> dict[int, Slot]:
        """Slots by number. None where the file holds nothing yet.

        Raises:
            OSError: The file cannot be read.
        """
        with opened(self.path) as fd:
            if not self._read_header(fd):
                return {}
            offset, stride, count = section(fd, THREADS_AT)
            numbers = [*self._live, *range(self._known, count)]
            found = {n: Slot(*fields) for n, fields in entries(fd, THREAD, offset, stride, numbers)}
        # One that is not ready yet has a creator that is about to make it so, and is looked at again.
        self._known = count
        self._live = [number for number, slot in found.items() if not slot.end_ns]
        return {number: found[number] for number in self._live if found[number].ready}

    def made(self) -> dict[int, Slot]:
        """Slots of all threads that there were, by number; also of those that have ended.

        Raises:
            OSError: The file cannot be read.
        """
        with opened(self.path) as fd:
            if not self._read_header(fd):
                return {}
            offset, stride, count = section(fd, THREADS_AT)
            found = {n: Slot(*fields) for n, fields in entries(fd, THREAD, offset, stride, [*range(count)])}
        return {number: slot for number, slot in found.items() if slot.ready}

    def owners(self, locks: Iterable[int]) -> dict[int, int]:
        """Who has each of these locks now: numbers of threads, where that is known.

        Raises:
            OSError: The file cannot be read.
        """
        with opened(self.path) as fd:
            offset, stride, count = section(fd, LOCKS_AT)
            inside = sorted({lock for lock in locks if lock < count})
            found = list(entries(fd, OWNER, offset, stride, inside)) if stride >= OWNER.size else []
        return {lock: owner - 1 for lock, (ready, foreign, owner) in found if ready and owner and not foreign}

    def shared(self, locks: Iterable[int]) -> dict[int, int]:
        """Which of these locks other processes have, too: their numbers there.

        Raises:
            OSError: The file cannot be read.
        """
        with opened(self.path) as fd:
            offset, stride, count = section(fd, LOCKS_AT)
            inside = sorted({lock for lock in locks if lock < count})
            found = list(entries(fd, SHARED, offset, stride, inside)) if stride >= SHARED.size else []
        return {lock: number - 1 for lock, (ready, number) in found if ready and number}

    def _read_header(self, fd: int) -> bool:
        raw = os.pread(fd, HEADER.size, 0)
        if len(raw) < HEADER.size or raw[:8] != _MAGIC:
            return False
        _, _, _, self.pid, self.start_ns, end_ns, _, self.flags, self.untracked = HEADER.unpack(raw)
        self.ended = end_ns != 0
        return True


@contextlib.contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor to read a file by.

    Raises:
        OSError: It cannot be opened.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def section(fd: int, at: int) -> tuple[int, int, int]:
    """Where the entries of a section are, how many bytes from one to the next, and how many there are.

    Args:
        fd: Of a `.hw` file.
        at: Where the header says that.
    """
    raw = os.pread(fd, SECTION.size, at)
    if len(raw) < SECTION.size:
        return 0, 0, 0
    offset, stride, capacity, count = SECTION.unpack(raw)
    return offset, stride, min(capacity, count)


def entries(
    fd: int, what: struct.Struct, offset: int, stride: int, numbers: list[int]
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Entries of a section by number: neighbours by one call."""
    at = 0
    while at < len(numbers):
        end = at + 1
        while end < len(numbers) and end - at < _AT_ONCE and numbers[end] == numbers[end - 1] + 1:
            end += 1
        data = os.pread(fd, (end - at - 1) * stride + what.size, offset + numbers[at] * stride)
        for i in range(end - at):
            if i * stride + what.size <= len(data):
                yield numbers[at + i], what.unpack_from(data, i * stride)
        at = end
