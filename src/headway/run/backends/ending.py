"""What was submitted is done before the program ends, unless its user interrupted it."""

from __future__ import annotations

import functools
import os
import sys
import threading
import weakref

from headway.run.backends.contract import Backend

__all__ = ["abandon_at_exit", "finish_before_exit", "forget", "forget_all"]

_open: weakref.WeakSet[Backend] = weakref.WeakSet()
_abandoned: weakref.WeakSet[Backend] = weakref.WeakSet()


def finish_before_exit(backend: Backend) -> None:
    """Close a backend before the program ends, if it is still open then."""
    _register(type(backend))
    _open.add(backend)


def abandon_at_exit(backend: Backend) -> None:
    """Let the program end without what it has: it belongs to a map, and is wanted only while somebody reads."""
    _abandoned.add(backend)


def forget(backend: Backend) -> None:
    """The backend is closed, or nobody cares for what it has."""
    _open.discard(backend)


def forget_all() -> None:
    """Let the program end at once, whatever was submitted."""
    _open.clear()


# The workers are the parent's, and so is what was submitted.
os.register_at_fork(after_in_child=_open.clear)


@functools.cache
def _register(_: type[Backend]) -> None:
    # As concurrent.futures does: not by atexit, which comes after threads that are no daemons were awaited, and after
    # concurrent.futures has ended its executors, which carriers of ours use: Dask could not fetch results any more. Of
    # those that register so, the last is called first; so this is done anew for each kind of backend.
    threading._register_atexit(_finish)  # type: ignore[attr-defined]


def _finish() -> None:
    interrupted = isinstance(getattr(sys, "last_value", None), KeyboardInterrupt)
    for backend in list(_open):
        backend.close(abort=interrupted or backend in _abandoned)
