"""Processes as they look from outside: for tests that send them signals."""

import time
from pathlib import Path


def program_of(headway: int) -> int:
    """The process that `headway trace` has started."""
    return int(Path(f"/proc/{headway}/task/{headway}/children").read_text().split()[0])


def wait_until_blocked(pid: int) -> None:
    """Wait until a process's main thread has slept for a while, or has run for long.

    A signal that comes after Python has looked for one and before the call that blocks has begun interrupts
    nothing, with or without headway.
    """
    slept = 0
    for _ in range(500):
        state = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        slept = slept + 1 if state == "S" else 0
        if slept == 20:
            return
        time.sleep(0.001)
