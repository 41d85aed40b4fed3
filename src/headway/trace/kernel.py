"""What the kernel says of a process that runs."""

from __future__ import annotations

import os
from collections.abc import Collection


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


def _state(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as stat:
        return stat.read().rpartition(")")[2].split()[0]
