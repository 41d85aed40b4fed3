"""Segments: memory without a name, which goes from one process to another by its descriptor.

The sender writes a segment, which costs less than faulting its pages in, and closes it. The receiver maps it, so an
array lies in it without a copy, is writable, and gives the memory back when it is freed. Nothing has a name, so
nothing is left whoever dies.

Most of the cost of a segment is in getting its pages from the kernel. So while there is work, a segment whose last
array was freed is kept, and takes what is sent next.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys

__all__ = ["Segments", "keep", "store"]

KEPT = 8
"""Segments that are kept at most."""

KEPT_BYTES = 1 << 28
"""What they may take together."""

SMALL = 1 << 20
"""Smaller segments are not worth keeping."""

_kept: list[tuple[int, int]] = []  # size, descriptor
_keeping = 0
_forks = 0


def keep(more: int) -> None:
    """Count who has work: +1 when it comes, -1 when it is done. Segments are kept while anyone has."""
    global _keeping
    _keeping += more
    if _keeping <= 0:
        _keeping = 0
        drop()


def drop() -> None:
    """Give kept segments back to the system."""
    while _kept:
        with contextlib.suppress(IndexError):
            os.close(_kept.pop()[1])


def _forking() -> None:
    # A child will have the same memory mapped, so no segment that is mapped now may take anything else later.
    global _forks
    _forks += 1


def _forked() -> None:
    # No thread of the child has work yet.
    global _keeping
    _keeping = 0
    drop()


os.register_at_fork(before=_forking, after_in_child=_forked)


class _Map(mmap.mmap):
    """A mapped segment."""

    fd = -1
    forks = 0
    bytes = 0

    def __del__(self) -> None:
        fd, self.fd = self.fd, -1
        if fd < 0:
            return
        if (
            _keeping
            and self.forks == _forks
            and len(_kept) < KEPT
            and sum(size for size, _ in _kept) + self.bytes <= KEPT_BYTES
        ):
            _kept.append((self.bytes, fd))
            if not _keeping:  # since a moment ago: another thread has dropped what there was
                drop()
        else:
            os.close(fd)


def _take(size: int) -> int:
    """A segment to write to: one that is kept, if it is about as large, or a new one."""
    for place, (kept, _) in enumerate(_kept):
        if size // 2 <= kept <= size * 2:
            try:
                kept, fd = _kept.pop(place)
            except IndexError:  # another thread was faster
                break
            os.ftruncate(fd, size)
            return fd
    return os.memfd_create("headway", os.MFD_CLOEXEC)


def store(data: memoryview, fds: list[int], most: int) -> tuple[int, int]:
    """Write bytes to a segment: to a new one, or behind what the last of `fds` has if there are too many.

    Returns:
        The place of its descriptor in `fds`, and the offset of the bytes in it.
    Raises:
        OSError: There is no room.
    """
    offset = 0
    if len(fds) < most:
        fds.append(_take(data.nbytes))
    else:
        # A multiple of 64 keeps any array aligned.
        offset = -(-os.fstat(fds[-1]).st_size // 64) * 64
    with memoryview(data).cast("B") as rest:
        done = 0
        while done < len(rest):
            done += os.pwrite(fds[-1], rest[done:], offset + done)
    return len(fds) - 1, offset


class Segments:
    """The segments that came with a frame, mapped when they are asked for."""

    def __init__(self, fds: list[int]) -> None:
        self._fds = fds
        self._views: dict[int, memoryview] = {}

    def view(self, number: int) -> memoryview:
        """The memory of a segment, writable."""
        if number not in self._views:
            self._views[number] = memoryview(self._map(number))
        return self._views[number]

    def close(self) -> None:
        """Let go; what is mapped stays so until the last array in it is gone."""
        self._views.clear()
        for fd in self._fds:
            if fd >= 0:
                os.close(fd)
        self._fds = []

    def _map(self, number: int) -> mmap.mmap:
        fd = self._fds[number]
        size = os.fstat(fd).st_size
        try:
            made: _Map | None = None
            if sys.version_info >= (3, 13):
                made = _Map(fd, size, mmap.MAP_SHARED, trackfd=False)
            # Before 3.13 a map keeps a descriptor. Descriptors are numbered from the lowest that is free, so this
            # one tells how many are in use; beyond half of what is allowed the bytes are copied, which needs none.
            elif fd < _most_fds() // 2:
                made = _Map(fd, size, mmap.MAP_SHARED)
            if made is not None:
                if size >= SMALL and fd < _most_fds() // 4:
                    made.fd, made.bytes, made.forks = fd, size, _forks
                    self._fds[number] = -1
                return made
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
