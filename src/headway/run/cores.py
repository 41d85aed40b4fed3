"""How many cores this process may use, and what kept a thread from its own."""

from __future__ import annotations

import contextlib
import itertools
import math
import os

__all__ = ["NESTED", "available_cores", "stood_ns", "times_waited"]

NESTED = "HEADWAY_WORKER"
"""Set in the environment of a worker process: one call there has one core, since its siblings have the others."""


def available_cores() -> int:
    """The cores that the scheduler, the container and headway itself leave to this process; at least 1.

    Source: sched_getaffinity(2), and cpu.max of cgroup v2, of which a part of a core counts as one.
    """
    if os.environ.get(NESTED):
        return 1
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    return max(1, min(cores, _cgroup_cores()))


def _cgroup_cores() -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in _read("/proc/self/cgroup").splitlines():
            if line.startswith("0::"):
                limit, period = _read(f"/sys/fs/cgroup/{line[3:].strip().lstrip('/')}/cpu.max").split()
                if limit != "max":
                    return math.ceil(int(limit) / int(period))
    return 1 << 20


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def stood_ns() -> int:
    """How long this thread has stood in line for a core; 0 where the kernel does not say.

    Source: the second figure of /proc/thread-self/schedstat.
    """
    try:
        return int(_read("/proc/thread-self/schedstat").split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def times_waited() -> int:
    """How often this thread has given up its core to wait for something; at least 1 where the kernel does not say.

    One that is only preempted, or whose core the host gives to another machine, has not.
    Source: ru_nvcsw of getrusage(2).
    """
    try:
        import resource

        return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw + 1
    except (ImportError, AttributeError, OSError):
        return next(_unknown)


_unknown = itertools.count(1)
