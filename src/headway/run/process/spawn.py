"""Starting a worker process."""

from __future__ import annotations

import _socket
import os
import pickle
import signal
import subprocess
import sys

from headway.errors import UsageError
from headway.run.process import page as pages
from headway.run.process import wire
from headway.run.process.handle import Handle
from headway.run.process.worker import FDS

__all__ = ["available_cores", "spawn"]

_BOOT = "import sys; sys.path[:] = {path!r}; from headway.run.process.worker import main as _; _()"

_BLAS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def available_cores() -> int:
    """How many cores this process may use."""
    cores = len(os.sched_getaffinity(0))
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return cores


def spawn(share: int) -> Handle:
    """Start a worker.

    Args:
        share: Cores that belong to it, for libraries that start threads of their own.
    """
    if not sys.executable:
        raise UsageError(
            "worker processes need a Python to run, and sys.executable is empty",
            hint="set sys.executable to the path of a Python interpreter",
        )
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    page_fd, page = pages.create()
    fault_fd = os.memfd_create("headway-fault", os.MFD_CLOEXEC)
    lifeline, lifeline_end = os.pipe()
    high: list[int] = []
    try:
        import fcntl

        # Above the places they are put in, or one would overwrite the next.
        for fd in (theirs.fileno(), page_fd, lifeline, fault_fd):
            high.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 16))
        actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        ]
        actions += [(os.POSIX_SPAWN_DUP2, fd, place) for fd, place in zip(high, FDS, strict=True)]
        environment = dict(os.environ)
        for name in _BLAS:
            environment.setdefault(name, str(share))
        pid = os.posix_spawn(
            sys.executable,
            [
                sys.executable,
                *subprocess._args_from_interpreter_flags(),  # type: ignore[attr-defined]
                "-c",
                _BOOT.format(path=sys.path),
            ],
            environment,
            file_actions=actions,
            # The worker unblocks it when it has a handler, so no Ctrl-C meets it without one.
            setsigmask=[signal.SIGINT],
        )
    except BaseException:
        ours.close()
        os.close(fault_fd)
        os.close(lifeline_end)
        raise
    finally:
        theirs.close()
        for fd in (page_fd, lifeline, *high):
            os.close(fd)
    ours.setblocking(False)
    handle = Handle(pid, os.pidfd_open(pid), ours, page, fault_fd, lifeline_end)
    setup = {"argv": sys.argv}
    handle.send(wire.frame(wire.SETUP, 0, pickle.dumps(setup, 5)))
    return handle
