"""Starting worker processes, and what becomes of them when the program ends or forks."""

from __future__ import annotations

import _socket
import atexit
import contextlib
import fcntl
import itertools
import os
import select
import signal
import subprocess
import sys
import time
import weakref
from _pickle import dumps
from collections.abc import Sequence
from typing import Any, NamedTuple

from headway.errors import UsageError
from headway.run.backends.contract import Setup
from headway.run.cores import NESTED
from headway.run.process import page as pages
from headway.run.process import wire
from headway.run.process.handle import Handle
from headway.run.process.payload import Parcel, dump
from headway.run.process.records import filters_here, levels_here
from headway.run.process.worker import FDS

__all__ = ["Surroundings", "set_up", "spawn"]

# Begins with a name, for `ps` and its like, and for `headway trace`, which calls a process of `python -c` so.
_BOOT = (
    "'worker {number} of headway'; import sys; sys.path[:] = {path!r}; "
    "from headway.run.process.worker import main as _; _()"
)

_numbers = itertools.count(1)

_BLAS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

GRACE_S = 0.5
"""How long workers may take to end when the program does."""
RELEASE_S = 0.1
"""How long it may take then until it is seen that they have ended."""

_all: weakref.WeakSet[Handle] = weakref.WeakSet()


class Surroundings(NamedTuple):
    """What a worker got from the program as it started, and keeps; two workers with equal ones are alike."""

    executable: str
    flags: tuple[str, ...]
    path: tuple[str, ...]
    argv: tuple[str, ...]
    directory: str
    environment: dict[str, str]
    memory_bytes: int | None

    @classmethod
    def now(cls, share: int, memory_bytes: int | None) -> Surroundings:
        """Those that a worker would get now.

        Args:
            share: Cores that belong to it, for libraries that start threads of their own.
            memory_bytes: What it may allocate.
        Raises:
            UsageError: There is no interpreter to run.
        """
        if not sys.executable:
            raise UsageError(
                "worker processes need a Python to run, and sys.executable is empty",
                hint="set sys.executable to the path of a Python interpreter",
            )
        environment = {**os.environ, NESTED: "1"}
        for name in _BLAS:
            environment.setdefault(name, str(share))
        try:
            directory = os.getcwd()
        except FileNotFoundError:
            directory = ""
        flags = tuple(subprocess._args_from_interpreter_flags())  # type: ignore[attr-defined]
        path = tuple(str(entry) for entry in sys.path)
        argv = tuple(map(str, sys.argv))
        return cls(sys.executable, flags, path, argv, directory, environment, memory_bytes)


def spawn(like: Surroundings) -> Handle:
    """Start a worker. It is not set up yet.

    Raises:
        OSError: The system does not let us.
    """
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    fds = [theirs.fileno()]
    kept = []
    high: list[int] = []
    try:
        page_fd, page = pages.create()
        fds.append(page_fd)
        lifeline, lifeline_end = os.pipe()
        fds.append(lifeline)
        kept.append(lifeline_end)
        fault_fd = os.memfd_create("headway-fault", os.MFD_CLOEXEC)
        kept.append(fault_fd)
        # Above the places they are put in, or one would overwrite the next.
        for fd in (*fds, fault_fd):
            high.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 16))
        actions: list[tuple[Any, ...]] = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, fd, place) for fd, place in zip(high, FDS, strict=True)]
        boot = _BOOT.format(number=next(_numbers), path=list(like.path))
        pid = os.posix_spawn(
            like.executable,
            [like.executable, *like.flags, "-c", boot],
            like.environment,
            file_actions=actions,
            # The worker unblocks it when it has a handler, so no Ctrl-C meets it without one.
            setsigmask=[signal.SIGINT],
        )
        pidfd = os.pidfd_open(pid)
    except BaseException:
        ours.close()
        for fd in kept:
            os.close(fd)
        raise
    finally:
        theirs.close()
        for fd in (*fds[1:], *high):
            os.close(fd)
    ours.setblocking(False)
    handle = Handle(pid, pidfd, ours, page, fault_fd, lifeline_end, like)
    if not _all:
        atexit.unregister(_at_exit)
        atexit.register(_at_exit)
    _all.add(handle)
    return handle


def set_up(handle: Handle, setup: Setup, local: Sequence[bytes]) -> None:
    """Tell a worker all that it needs before its first call. It answers READY, or BROKEN.

    Raises:
        Exception: The initializer cannot be sent.
    """
    like = handle.surroundings
    settings = {
        "argv": list(like.argv),
        "levels": levels_here(),
        "filters": filters_here(),
        "memory_bytes": like.memory_bytes,
        "adopted": handle.adopted,
    }
    handle.local = tuple(local)
    parcel = Parcel()
    # Not `dump`: a default filter of warnings has the text `__main__`, for which that would go to cloudpickle.
    parcel.put((dumps(settings, 5), []))
    parcel.put(dump((setup.initializer, setup.initargs) if setup.initializer else None, local)[0])
    handle.send(wire.frame(wire.SETUP, 0, parcel.body(), len(parcel.fds)), parcel.fds)


def _at_exit() -> None:
    """Let idle workers end as programs do, and kill those that work or hang."""
    deadline = time.monotonic() + GRACE_S
    left = [handle for handle in list(_all) if not handle.released]
    for handle in left:
        if handle.flights:
            handle.kill()
        else:
            handle.hang_up()
    for handle in left:
        try:
            poller = select.poll()
            poller.register(handle.pidfd, select.POLLIN)
            if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                handle.kill()
        except (OSError, ValueError):  # somebody else let it go
            continue
    # Those of a pool are let go by its receiver, or come into the reserve still: it runs on until the interpreter ends,
    # which complains of sockets that are open then.
    deadline = time.monotonic() + RELEASE_S
    while left := [handle for handle in left if not handle.released]:
        for handle in left:
            if handle.parked:
                with contextlib.suppress(OSError, ValueError):  # as above
                    handle.reap()
        if time.monotonic() > deadline:
            return
        time.sleep(0.001)


def _forget_all() -> None:
    """After a fork, in the child: the workers are the parent's. Close what would keep them from seeing it die."""
    for handle in list(_all):
        if not handle.released:
            handle.release()
    _all.clear()


os.register_at_fork(after_in_child=_forget_all)
