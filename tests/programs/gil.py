"""Holds, wants and drops the GIL for known times: `gil.py WHAT`. Prints what it measured as JSON."""

import ctypes
import hashlib
import json
import sys
import threading
import time
import zlib
from collections.abc import Callable

LONG_S = 0.2
measured: dict[str, float] = {}


def cpu_bound(seconds: float) -> None:
    """Run Python for this much of the thread's CPU time."""
    until = time.thread_time_ns() + int(seconds * 1e9)
    while time.thread_time_ns() < until:
        sum(range(1000))


def in_thread(name: str, act: Callable[[], object]) -> threading.Thread:
    """Start a thread that measures a call by its clocks and the kernel's.

    Wall time is NAME_s, CPU time NAME_cpu_s, and NAME_line_s is how long the thread stood in line for a core.
    """

    def run() -> None:
        start = time.monotonic_ns()
        act()
        measured[f"{name}_s"] = (time.monotonic_ns() - start) / 1e9
        measured[f"{name}_cpu_s"] = time.thread_time_ns() / 1e9
        with open("/proc/thread-self/schedstat") as schedstat:
            measured[f"{name}_line_s"] = int(schedstat.read().split()[1]) / 1e9

    thread = threading.Thread(target=run, name=name)
    thread.start()
    return thread


def hold_and_sleep() -> None:
    """`holder` sleeps with the GIL, while `sleeper` wakes up and wants it."""
    holds = ctypes.PyDLL(None).usleep
    both = threading.Barrier(2)

    def hold() -> None:
        both.wait()
        time.sleep(LONG_S / 4)
        measured["hold_from_ns"] = time.monotonic_ns()
        holds(int(LONG_S * 1e6))
        measured["hold_to_ns"] = time.monotonic_ns()

    def sleep() -> None:
        both.wait()
        measured["sleep_from_ns"] = time.monotonic_ns()
        time.sleep(LONG_S / 2)
        measured["sleep_to_ns"] = time.monotonic_ns()

    for thread in [in_thread("holder", hold), in_thread("sleeper", sleep)]:
        thread.join()


def long_c_call() -> None:
    """One C call of the interpreter that never lets go of the GIL."""
    in_thread("holder", lambda: sum(range(8_000_000))).join()


def alone() -> None:
    in_thread("holder", lambda: cpu_bound(LONG_S)).join()


def three() -> None:
    """Three threads that are CPU-bound in Python, one after the other on the GIL."""
    # At a hand-over nobody holds the GIL until the next thread is on a core: 0.1 ms on a virtual machine,
    # which with the default of 5 ms would be 2 %.
    sys.setswitchinterval(0.02)
    start = time.monotonic_ns()
    threads = [in_thread(f"t{i}", lambda: cpu_bound(LONG_S)) for i in range(3)]
    for thread in threads:
        thread.join()
    measured["wall_s"] = (time.monotonic_ns() - start) / 1e9


def native() -> None:
    """Work in zlib and hashlib, which let go of the GIL, and in NumPy."""
    import numpy as np

    text = bytes(range(256)) * 20_000
    compress = in_thread("zlib", lambda: zlib.compress(text, 9))
    digest = in_thread("hashlib", lambda: hashlib.sha256(bytes(60_000_000)).digest())
    compress.join()
    digest.join()
    angles = np.linspace(0, 1, 3_000_000)
    for thread in [
        in_thread(f"numpy{i}", lambda: np.sin(angles, out=np.empty_like(angles))) for i in range(2)
    ]:
        thread.join()


def waiting_for_io_holds_no_gil() -> None:
    other = in_thread("worker", lambda: cpu_bound(LONG_S))
    in_thread("sleeper", lambda: time.sleep(LONG_S / 2)).join()
    other.join()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    print(json.dumps(measured))
