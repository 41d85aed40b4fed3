"""The page of memory that a worker and its parent share: how far the worker is, and how far it may go."""

import mmap
import os

__all__ = ["BEGUN", "LIMIT", "LOADING", "SIZE", "SPIN", "STARTED", "STOP", "create", "map_page"]

SIZE = 4096

# 8-byte words. What the worker writes and what the parent writes lie in different cache lines.
BEGUN = 0
"""Number of the last call that the worker began. Calls are numbered through the worker's life, from 1."""
STARTED = 1
"""When that call began, CLOCK_MONOTONIC ns; 0 while none runs. Only kept for calls with a time limit."""
LOADING = 2
"""Number of the first call whose arguments the worker unpickles; 0 while it does not."""
LIMIT = 16
"""The worker begins no call with this number or a higher one, if STOP is set. Written by the parent."""
STOP = 17
"""1 while there is a limit, so that looking for one costs next to nothing. Written by the parent, after LIMIT."""
SPIN = 18
"""1 while the next call may follow at once and there are cores enough to look for it; see `spin.py`. The parent's."""


def create() -> tuple[int, "memoryview[int]"]:
    """Make a page; the descriptor is for the worker."""
    fd = os.memfd_create("headway-page", os.MFD_CLOEXEC)
    os.ftruncate(fd, SIZE)
    page = map_page(fd)
    return fd, page


def map_page(fd: int) -> "memoryview[int]":
    """Map a page. It is unmapped when the view is gone."""
    # invariant: an aligned 8-byte store through a "q" view is one machine store, so no one reads half of it.
    return memoryview(mmap.mmap(fd, SIZE)).cast("q")
