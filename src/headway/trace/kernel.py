"""What the kernel says of a process that runs."""

from __future__ import annotations

import os
from collections.abc import Collection

_EPOLL_WAITS = {"x86_64": (232, 281), "aarch64": (22,)}
"""The numbers of epoll_wait and epoll_pwait; their arguments are a descriptor, a place, how many, and a time limit."""


def all_asleep(pid: int, tids: Collection[int]) -> bool:
    """Whether a process has these threads and no others, and each of them sleeps.

    A thread that has been woken and does not run yet is not asleep; one that is stopped (Ctrl-Z, a debugger) is
    not, either. False also where the kernel does not tell.
    """
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        return {int(task) for task in tasks} == set(tids) and all(
            _state(f"/proc/{pid}/task/{task}/stat") == "S" for task in tasks
        )
    except OSError:
        return False


def waits_for_itself(pid: int, tid: int) -> bool:
    """Whether a thread waits, without a time limit, for nothing but what its own process sends it.

    It is in epoll_wait with one descriptor, a UNIX socket: so waits an event loop of asyncio that has no timer, and
    nothing else to look at than the socket pair by which other threads wake it. False also where the kernel does not
    tell.
    Source: proc(5), /proc/PID/syscall and fdinfo.
    """
    try:
        called = _read(f"/proc/{pid}/task/{tid}/syscall").split()
        if int(called[0]) not in _EPOLL_WAITS.get(os.uname().machine, ()):
            return False
        if int(called[4], 16) & 0xFFFFFFFF != 0xFFFFFFFF:
            return False
        info = _read(f"/proc/{pid}/fdinfo/{int(called[1], 16)}")
        looked_at = [line.split()[1] for line in info.splitlines() if line.startswith("tfd:")]
        if len(looked_at) != 1:
            return False
        link = os.readlink(f"/proc/{pid}/fd/{looked_at[0]}")
        sockets = _read(f"/proc/{pid}/net/unix").splitlines()
        inodes = {line.split()[6] for line in sockets[1:]}
        return link.startswith("socket:[") and link[8:-1] in inodes
    except (OSError, ValueError, IndexError):  # "running", for one that does not wait
        return False


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _state(path: str) -> str:
    return _read(path).rpartition(")")[2].split()[0]
