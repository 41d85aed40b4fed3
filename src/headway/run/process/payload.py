"""Objects as bytes: pickled in place or by value, with large parts in segments of shared memory.

A segment is a nameless file in memory (memfd) whose descriptor goes along with the frame. The sender writes it,
which costs less than faulting its pages in; the receiver maps it, so an array lies in it without a copy, is
writable, and gives the memory back when it is freed. Nothing has a name, so nothing is left whoever dies.
"""

from __future__ import annotations

import mmap
import os
import sys
from _pickle import dumps, loads
from _struct import Struct

TYPE_CHECKING = False  # of `typing`, which would cost every worker some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from pickle import PickleBuffer
    from typing import Any

__all__ = ["LARGE", "Parcel", "Pickled", "Segments", "dump", "dump_by_value", "load", "skip"]

LARGE = 1 << 17
"""Bytes from which a buffer or a pickle goes through a segment. At 64 KiB making one costs as much as it saves."""

MOST_SEGMENTS = 64
"""Segments in one frame; further buffers share the last one."""

_IN_BAND = 0xFFFFFFFF
_HEAD = Struct("=IIQ")  # segment of the pickle or _IN_BAND, number of buffers, size of the pickle
_BUFFER = Struct("=IQQ")  # segment, offset, size

Pickled = tuple[bytes, list[memoryview]]
"""A pickle, and the buffers that are not in it."""


def dump(thing: object) -> tuple[Pickled, bool]:
    """Pickle something, and say whether that had to be by value.

    What belongs to `__main__` goes by value, since no worker has the same `__main__`; so does what plain pickle
    refuses and cloudpickle knows, such as lambdas.

    Raises:
        Exception: Whatever the object raises; mostly PicklingError or TypeError.
    """
    buffers: list[memoryview] = []
    try:
        data = dumps(thing, 5, buffer_callback=_collector(buffers))
        if b"__main__" not in data:
            return (data, buffers), False
    except RecursionError:
        raise
    except Exception:
        pass
    return dump_by_value(thing), True


def dump_by_value(thing: object) -> Pickled:
    """Pickle something with cloudpickle."""
    from headway.run.process.by_value import pickle_by_value

    buffers: list[memoryview] = []
    return pickle_by_value(thing, _collector(buffers)), buffers


def _collector(buffers: list[memoryview]) -> Callable[[PickleBuffer], bool]:
    """A buffer callback that keeps large buffers out of the pickle."""

    def collect(buffer: PickleBuffer) -> bool:
        try:
            raw = buffer.raw()
        except BufferError:  # not contiguous
            return True
        if raw.nbytes < LARGE:
            return True
        buffers.append(raw)
        return False

    return collect


class Parcel:
    """The body of a frame in the making, and the segments that go with it."""

    __slots__ = ("fds", "parts", "size")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.fds: list[int] = []
        self.size = 0

    def add(self, part: bytes) -> None:
        """Append bytes as they are."""
        self.parts.append(part)
        self.size += len(part)

    def put(self, pickled: Pickled) -> None:
        """Append something pickled.

        Raises:
            OSError: No room for a segment.
        """
        data, buffers = pickled
        size = len(data)
        if size < LARGE and not buffers:
            self.add(_HEAD.pack(_IN_BAND, 0, size) + data)
            return
        table = [_BUFFER.pack(*self._store(buffer), buffer.nbytes) for buffer in buffers]
        if size < LARGE:
            self.add(_HEAD.pack(_IN_BAND, len(buffers), size) + b"".join(table) + data)
            return
        segment, offset = self._store(memoryview(data))
        self.add(
            _HEAD.pack(segment, len(buffers), size) + b"".join(table) + offset.to_bytes(8, sys.byteorder)
        )

    def body(self) -> bytes:
        """All of it."""
        return b"".join(self.parts)

    def close(self) -> None:
        """Close the segments here; a receiver that has their descriptors keeps them."""
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def _store(self, data: memoryview) -> tuple[int, int]:
        """Write into a segment: which one, and where in it."""
        offset = 0
        if len(self.fds) < MOST_SEGMENTS:
            fd = os.memfd_create("headway", os.MFD_CLOEXEC)
            self.fds.append(fd)
        else:
            fd = self.fds[-1]
            # A multiple of 64 keeps any array aligned.
            offset = -(-os.lseek(fd, 0, os.SEEK_END) // 64) * 64
        at = offset
        with memoryview(data).cast("B") as rest:
            done = 0
            while done < len(rest):
                wrote = os.pwrite(fd, rest[done:], at)
                done += wrote
                at += wrote
        return len(self.fds) - 1, offset


def load(body: memoryview, offset: int, segments: Segments) -> tuple[Any, int]:
    """Unpickle what `Parcel.put` put at an offset, and say where it ends."""
    segment, count, size = _HEAD.unpack_from(body, offset)
    offset += _HEAD.size
    if segment == _IN_BAND and not count:
        end: int = offset + size
        return loads(body[offset:end]), end
    places = [_BUFFER.unpack_from(body, offset + index * _BUFFER.size) for index in range(count)]
    offset += count * _BUFFER.size
    if segment == _IN_BAND:
        end = offset + size
        data = body[offset:end]
    else:
        end = offset + 8
        start = int.from_bytes(body[offset:end], sys.byteorder)
        data = segments.view(segment)[start : start + size]
    return loads(data, buffers=[segments.view(at)[of : of + length] for at, of, length in places]), end


def skip(body: memoryview, offset: int) -> int:
    """Where what `Parcel.put` put at an offset ends."""
    segment, count, size = _HEAD.unpack_from(body, offset)
    return int(offset + _HEAD.size + count * _BUFFER.size + (size if segment == _IN_BAND else 8))


class Segments:
    """The segments that came with a frame, mapped when they are asked for."""

    def __init__(self, fds: list[int]) -> None:
        self._fds = fds
        self._maps: dict[int, memoryview] = {}

    def view(self, number: int) -> memoryview:
        """The memory of a segment, writable."""
        if number not in self._maps:
            self._maps[number] = memoryview(_map(self._fds[number]))
        return self._maps[number]

    def close(self) -> None:
        """Close the descriptors; what is mapped stays so until the last array in it is gone."""
        self._maps.clear()
        for fd in self._fds:
            os.close(fd)
        self._fds = []


def _map(fd: int) -> mmap.mmap:
    size = os.fstat(fd).st_size
    flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
    try:
        if sys.version_info >= (3, 13):
            return mmap.mmap(fd, size, flags, trackfd=False)
        # Before 3.13 a map keeps a descriptor. Descriptors are numbered from the lowest that is free, so this one
        # tells how many are in use; beyond half of what is allowed the bytes are copied, which needs none.
        if fd < _most_fds() // 2:
            return mmap.mmap(fd, size, flags)
    except OSError:  # such as too many maps: a copy needs only memory
        pass
    copy = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    done = 0
    while done < size:
        done += os.preadv(fd, [memoryview(copy)[done:]], done)
    return copy


def _most_fds() -> int:
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
