"""Stillness: can what the threads of this process wait for still come? The kernel knows.

A thread that waits for a lock, a semaphore or a condition of its own process, and not until some time, can be woken by
another thread of the process only. If all threads but the one that asks wait so, none ever goes on. A thread that waits
for the GIL waits until some time, and one that has been woken and has no processor yet counts as running, so a machine
with much to do looks no stiller than another.

Source: `/proc/self/task/TID/syscall` and `status`, proc(5); futex(2).
"""

from __future__ import annotations

import os
import platform
import signal
import threading

__all__ = ["Stillness", "stillness"]

Stillness = tuple[tuple[str, str, str], ...]
"""Of each thread: its number, how often it has waited, and what it waits for."""

# Taken before anything is doubled.
_get_native_id = threading.get_native_id

_FUTEX = {"x86_64": "202", "aarch64": "98"}.get(platform.machine())
_PRIVATE = 128
_WAITS = (0, 9)
"""`FUTEX_WAIT` and `FUTEX_WAIT_BITSET`."""
_COMMAND = 127


def stillness() -> Stillness | None:
    """How all other threads wait, if each waits for another of them and without a time limit; None: not so, or unknown.

    No thread has gone on between two calls that give the same; then none ever will.
    """
    if _FUTEX is None or _signal_to_come():
        return None
    own = str(_get_native_id())
    found = []
    try:
        for thread in os.listdir("/proc/self/task"):
            if thread == own:
                continue
            # Subtle: one that has been woken by another processor counts as waiting in `syscall`, but not in `status`,
            # until it stands in a line. Before and after, or it may have been woken in between.
            waited = _waited(f"/proc/self/task/{thread}/status")
            with open(f"/proc/self/task/{thread}/syscall", encoding="ascii") as file:
                call = file.read().strip()
            if (
                waited is None
                or not _waits_for_ever(call)
                or _waited(f"/proc/self/task/{thread}/status") != waited
            ):
                return None
            found.append((thread, waited, call))
    except (
        OSError,
        IndexError,
        KeyError,
        ValueError,
    ):  # a thread has ended meanwhile, or the kernel does not tell
        return None
    return tuple(found)


def _signal_to_come() -> bool:
    """A handler in Python may let somebody go on."""
    return any(signal.getitimer(which)[0] for which in (signal.ITIMER_REAL, signal.ITIMER_PROF))


def _waited(path: str) -> str | None:
    """How often a thread has waited; None: it does not sleep now."""
    with open(path, encoding="utf-8", errors="replace") as file:
        facts = dict(line.split(":", 1) for line in file)
    return facts["voluntary_ctxt_switches"].strip() if facts["State"].split()[0] == "S" else None


def _waits_for_ever(call: str) -> bool:
    """Is it in a wait for a word of memory of this process, without a time limit?"""
    number, *arguments = call.split()[:5]
    if number != _FUTEX:
        return False
    operation, limit = int(arguments[1], 16), int(arguments[3], 16)
    return bool(operation & _PRIVATE) and operation & _COMMAND in _WAITS and not limit
