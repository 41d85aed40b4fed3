"""Objects as bytes: pickled in place or by value, with large parts in segments."""

from __future__ import annotations

import os
import sys
from _pickle import dumps, loads
from _struct import Struct

from headway.run.process.segments import Segments, store

TYPE_CHECKING = False  # of `typing`, which would cost every worker some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pickle import PickleBuffer
    from typing import Any

__all__ = ["LARGE", "MAIN", "Parcel", "Pickled", "Segments", "dump", "here", "load", "load_here", "skip"]

LARGE = 1 << 17
"""Bytes from which a buffer or a pickle goes through a segment. At 64 KiB making one costs as much as it saves."""

MOST_SEGMENTS = 64
"""Segments in one frame; further buffers share the last one."""

_IN_BAND = 0xFFFFFFFF
_HEAD = Struct("=IIQ")  # segment of the pickle or _IN_BAND, number of buffers, size of the pickle
_BUFFER = Struct("=IQQ")  # segment, offset, size

Pickled = tuple[bytes, list[memoryview]]
"""A pickle, and the buffers that are not in it."""


MAIN = (b"__main__",)


def dump(thing: object, local: Sequence[bytes] = MAIN) -> tuple[Pickled, bool]:
    """Pickle something, and say whether that had to be by value.

    Args:
        thing: Anything.
        local: Modules that a worker cannot import, whose functions and classes go by value; `__main__`, since no
            worker has the same one. By value goes also what plain pickle refuses and cloudpickle knows, such as
            lambdas.
    Raises:
        Exception: Whatever the object raises; mostly PicklingError or TypeError.
    """
    buffers: list[memoryview] = []
    try:
        data = dumps(thing, 5, buffer_callback=_collector(buffers))
        for name in local:
            if name in data:
                break
        else:
            return (data, buffers), False
    except RecursionError:
        raise
    except Exception:
        pass
    from headway.run.process.by_value import pickle_by_value

    buffers = []
    return (pickle_by_value(thing, _collector(buffers), local), buffers), True


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
        table = [_BUFFER.pack(*store(buffer, self.fds, MOST_SEGMENTS), buffer.nbytes) for buffer in buffers]
        if size < LARGE:
            self.add(_HEAD.pack(_IN_BAND, len(buffers), size) + b"".join(table) + data)
            return
        segment, offset = store(memoryview(data), self.fds, MOST_SEGMENTS)
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


def load_here(body: memoryview, offset: int) -> Any:
    """Unpickle what `Parcel.put` put at an offset and which has no segments."""
    return loads(body[offset + _HEAD.size :])


def here(pickled: Pickled) -> bytes | None:
    """What `Parcel.put` would append, if that needs no segment."""
    data, buffers = pickled
    if buffers or len(data) >= LARGE:
        return None
    return _HEAD.pack(_IN_BAND, 0, len(data)) + data


def skip(body: memoryview, offset: int) -> int:
    """Where what `Parcel.put` put at an offset ends."""
    segment, count, size = _HEAD.unpack_from(body, offset)
    return int(offset + _HEAD.size + count * _BUFFER.size + (size if segment == _IN_BAND else 8))
