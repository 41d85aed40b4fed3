"""What the kernel says of a process that runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from enum import StrEnum

_EPOLL_WAITS = {"x86_64": (232, 281), "aarch64": (22,)}
"""The numbers of epoll_wait and epoll_pwait; their arguments are a descriptor, a place, how many, and a time limit."""
_FOR_EVER = 0xFFFFFFFF
_LIBEV_FOR_EVER_MS = 1_500_000_000
"""libev never waits for longer than 17 days, MAX_BLOCKTIME2 in ev.c, and for that long only if it has no timer."""
_NOBODY_SENDS = {
    signal.SIGINT,
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGABRT,
    32,
    33,
}
"""Ctrl-C, which is nobody's plan; faults, which a program brings on itself; and those that are the C library's own."""


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


class Loop(StrEnum):
    """Whose event loop waits so. Each has descriptors by which other threads of its process wake it, and no others.

    Source: asyncio/selector_events.py; libev, evpipe_init in ev.c; uvloop/loop.pyx, `_setup_or_resume_signals`, and
    libuv, async.c and signal.c.
    """

    ASYNCIO = "asyncio"
    GEVENT = "gevent"
    UVLOOP = "uvloop"


def waits_for_itself(pid: int, tid: int) -> Loop | None:
    """Whether a thread waits, without a time limit, for nothing but what its own process sends it.

    It is in epoll_wait, with just the descriptors that an event loop always has: so waits one that has no timer, and
    nothing else to look at. Another program may use epoll in the same way: who asks must know that it is such a loop.
    None also where the kernel does not tell.
    Source: proc(5), /proc/PID/syscall and fdinfo.
    """
    try:
        called = _read(f"/proc/{pid}/task/{tid}/syscall").split()
        if int(called[0]) not in _EPOLL_WAITS.get(os.uname().machine, ()):
            return None
        limit_ms = int(called[4], 16) & 0xFFFFFFFF
        info = _read(f"/proc/{pid}/fdinfo/{int(called[1], 16)}")
        looked_at = sorted(
            _kind_of(pid, line.split()[1]) for line in info.splitlines() if line.startswith("tfd:")
        )
    except (OSError, ValueError, IndexError):  # "running", for one that does not wait
        return None
    if looked_at == ["eventfd"]:
        return Loop.GEVENT if limit_ms >= _LIBEV_FOR_EVER_MS else None
    if limit_ms != _FOR_EVER:
        return None
    if looked_at == ["unix"]:
        return Loop.ASYNCIO
    # Where it is the main thread's, it has a socket pair for signals, too.
    return Loop.UVLOOP if looked_at == ["eventfd", "pipe", *["unix"] * (pid == tid)] else None


def _kind_of(pid: int, fd: str) -> str:
    """What a descriptor is: `eventfd`, `pipe`, `unix`, or something else."""
    link = os.readlink(f"/proc/{pid}/fd/{fd}")
    if link == "anon_inode:[eventfd]":
        return "eventfd"
    if link.startswith("socket:["):
        sockets = _read(f"/proc/{pid}/net/unix").splitlines()
        return "unix" if link[8:-1] in {line.split()[6] for line in sockets[1:]} else "socket"
    return "pipe" if link.startswith("pipe:[") else link


def has_mapped(pid: int, part: str) -> bool:
    """Whether a process has loaded a file whose path has this part."""
    try:
        return any(part in line for line in _read(f"/proc/{pid}/maps").splitlines())
    except OSError:
        return False


def may_get_signals(pid: int) -> bool:
    """Whether a process catches a signal that may wake something: any but SIGINT and those of faults.

    SIGCHLD counts only while it has children. True also where the kernel does not tell.
    Source: proc(5), SigCgt in /proc/PID/status; /proc/PID/task/TID/children.
    """
    try:
        status = _read(f"/proc/{pid}/status")
        caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt:")).split()[1], 16)
        numbers = {number for number in range(1, 65) if caught >> number - 1 & 1} - _NOBODY_SENDS
        if numbers == {signal.SIGCHLD}:
            tasks = os.listdir(f"/proc/{pid}/task")
            return any(_read(f"/proc/{pid}/task/{task}/children").strip() for task in tasks)
        return bool(numbers)
    except (OSError, ValueError, StopIteration):
        return True


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _state(path: str) -> str:
    return _read(path).rpartition(")")[2].split()[0]
