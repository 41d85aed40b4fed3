"""How many cores this process may use."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

__all__ = ["NESTED", "available_cores", "stood_ns"]

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
        for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
            if line.startswith("0::"):
                quota = Path("/sys/fs/cgroup") / line[3:].strip().lstrip("/") / "cpu.max"
                limit, period = quota.read_text(encoding="ascii").split()
                if limit != "max":
                    return math.ceil(int(limit) / int(period))
    return 1 << 20


def stood_ns() -> int:
    """How long this thread has stood in line for a core; 0 where the kernel does not say.

    Source: the second figure of /proc/thread-self/schedstat.
    """
    try:
        with open("/proc/thread-self/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
