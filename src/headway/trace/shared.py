"""What processes of a trace know of each other: who has the semaphores that several of them use.

It is read from the file `shared` of the trace directory, which is there if a process has opened a semaphore by a name,
as `multiprocessing` makes its locks. Without NumPy: a program that hangs is looked at with this.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

# As in native/record.h; a test compares them with `format`, which needs NumPy.
AFAR, PEER = 0xFFFFFFFD, 0x80000000
FILE = "shared"
PAGE = 4096
THREADS, SEMAPHORES = 16384, 4096
HEADER = struct.Struct("<8sII")
THREAD = struct.Struct("<QII")
SEMAPHORE = struct.Struct("<QIIIIIIIIQQQ")

_MAGIC = b"HEADSEM\0"
_VERSION = 1
_OF_ONE = 2
"""The value of a semaphore that begins as a lock does: with 1."""


class Place(NamedTuple):
    """A thread, of any process: the process image by its pid and start, and the thread's slot there."""

    pid: int
    start_ns: int
    slot: int


class Semaphore(NamedTuple):
    """A semaphore of several processes. Fields as in struct hw_shared_semaphore."""

    key: int
    owner: int
    waker: int
    waiters: int
    foreign: int
    value: int
    maker: int
    made_stack: int
    pad: int
    created_ns: int
    held_from_ns: int
    pad1: int

    @property
    def is_lock(self) -> bool:
        """Whether it began as a lock does, and was only ever released by who had taken it."""
        return self.value == _OF_ONE and not self.foreign


class Shared:
    """The file as it is at one moment.

    Args:
        directory: Of the trace. Without such a file, nothing is known.
    """

    def __init__(self, directory: Path) -> None:
        try:
            self._data = (directory / FILE).read_bytes()
        except OSError:
            self._data = b""
        if len(self._data) >= HEADER.size:
            magic, version, _ = HEADER.unpack_from(self._data)
            if magic != _MAGIC or version != _VERSION:
                self._data = b""

    def thread(self, number: int) -> Place | None:
        """A thread by its number."""
        at = PAGE + number * THREAD.size
        if not 0 <= number < THREADS or at + THREAD.size > len(self._data):
            return None
        start_ns, pid, slot = THREAD.unpack_from(self._data, at)
        return Place(pid, start_ns, slot) if start_ns else None

    def semaphore(self, number: int) -> Semaphore | None:
        """A semaphore by its number."""
        at = PAGE + THREADS * THREAD.size + number * SEMAPHORE.size
        if not 0 <= number < SEMAPHORES or at + SEMAPHORE.size > len(self._data):
            return None
        found = Semaphore(*SEMAPHORE.unpack_from(self._data, at))
        return found if found.key else None

    def owner(self, number: int) -> Place | None:
        """Who has a semaphore that is used as a lock; None if nobody has, or it is not known."""
        found = self.semaphore(number)
        return self.thread(found.owner - 1) if found is not None and found.is_lock else None
