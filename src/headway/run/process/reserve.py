"""The reserve: workers of closed pools, ready for the next pool that wants the like."""

from __future__ import annotations

import contextlib
import os
import select
import threading

from headway.run.cores import available_cores
from headway.run.process import wire
from headway.run.process.handle import Handle
from headway.run.process.spawn import Surroundings, spawn

__all__ = ["park", "prepare", "some_wait", "take"]

_lock = threading.Lock()
_parked: list[Handle] = []


def park(handle: Handle) -> list[Handle]:
    """Keep an idle worker, in place of the one that has been here longest if there are enough.

    Returns:
        Those that are not to be kept; whoever calls has them leave.
    """
    with _lock:
        _parked[:] = [other for other in _parked if not _gone(other)]
        handle.known.clear()
        handle.context = 0
        handle.send(wire.frame(wire.PARK, 0, b""))
        handle.parked = True
        _parked.append(handle)
        more = max(0, len(_parked) - available_cores())
        leaving, _parked[:more] = _parked[:more], []
        for other in leaving:
            other.parked = False
        return leaving


def prepare(workers: int, memory_bytes: int | None) -> None:
    """Start a worker for a pool that is to come, if there is none: it boots while the pool's code is imported.

    Args:
        workers: How many the pool may have.
        memory_bytes: What each of them may allocate.
    """
    if _parked:
        return
    with contextlib.suppress(OSError):  # the pool will tell
        handle = spawn(Surroundings.now(max(1, available_cores() // workers), memory_bytes))
        handle.parked = True
        with _lock:
            _parked.append(handle)


def take(like: Surroundings) -> Handle | None:
    """A worker that started in the same surroundings, if one is left. It is to be set up anew."""
    with _lock:
        for place, handle in reversed(list(enumerate(_parked))):
            if handle.surroundings == like:
                del _parked[place]
                handle.parked = False
                if not _gone(handle):
                    handle.adopted = handle.adopted or handle.ready  # else it was only prepared
                    handle.ready = handle.dead = False
                    return handle
    return None


def some_wait() -> bool:
    """Whether a pool may find a worker here."""
    return bool(_parked)


def _gone(handle: Handle) -> bool:
    """Whether it has died meanwhile; then it is let go."""
    if handle.released:
        return True
    poller = select.poll()
    poller.register(handle.pidfd, select.POLLIN)
    if not poller.poll(0):
        return False
    handle.reap()
    return True


def _forget() -> None:
    global _lock
    _lock = threading.Lock()
    _parked.clear()


os.register_at_fork(after_in_child=_forget)
