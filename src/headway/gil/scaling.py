"""Measures how far threads scale, in the interpreter that runs it. Prints facts and times as one line of JSON.

Any Python runs this, from 2.7 on: CPython, PyPy, Jython, IronPython. So it imports nothing of ours, and is written in
what all of them understand.

    python scaling.py SECONDS ROUNDS COUNT [COUNT ...]

Three kinds of work are done by COUNT workers at once, each worker doing as much as one alone does in SECONDS:

- python: arithmetic in a loop, on threads. What holds the GIL where there is one.
- native: SHA-256 of 1 MiB, again and again, on threads. What lets go of the GIL.
- processes: the loop in processes, where they can be forked. What the machine has to give.

The counts take turns, ROUNDS times, so that a disturbance of the machine meets all of them alike.
"""

import hashlib
import json
import os
import platform
import sys
import threading
import time

BLOCK = b"\0" * (1 << 20)
now = getattr(time, "perf_counter", time.time)


def compute(times):
    """Arithmetic in a loop. Locals only: nothing is shared with other threads."""
    value = i = 0
    while i < times:
        value = (value * 31 + i) & 65535
        i += 1
    return value


def digest(times):
    """Hashes."""
    i = 0
    while i < times:
        hashlib.sha256(BLOCK).digest()
        i += 1


def calibrated(work, seconds):
    """How often it is to be done to take so long, when the interpreter is warm."""
    times = 1
    end = now() + max(2 * seconds, 0.2)  # a just-in-time compiler needs its time
    while True:
        began = now()
        work(times)
        took = now() - began
        if now() > end and took > seconds / 4:
            return max(1, int(times * seconds / took))
        if took < seconds / 2:
            times *= 2


def cpu_time():
    """Of this process and the children that it has waited for, in seconds; None where it is not known."""
    if platform.python_implementation() not in ("CPython", "PyPy"):  # Jython's has other units
        return None
    return sum(os.times()[:4])


def on_threads(work, times, count):
    """Seconds until all of `count` threads have done it."""
    begin = threading.Event()
    ready = []
    ended = []

    def body():
        ready.append(None)
        begin.wait()
        work(times)
        ended.append(now())

    threads = [threading.Thread(target=body) for _ in range(count)]
    for thread in threads:
        thread.start()
    while len(ready) < count:
        time.sleep(0.001)
    began = now()
    begin.set()
    for thread in threads:
        thread.join()
    return max(ended) - began


def in_processes(work, times, count):
    """Seconds until all of `count` processes have done it."""
    began = now()
    children = []
    for _ in range(count):
        child = os.fork()
        if not child:
            try:
                work(times)
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return now() - began


def measured(run, work, seconds, rounds, counts):
    """For each count the seconds of each round, and how many cores were at work."""
    times = calibrated(work, seconds)
    took = dict((count, []) for count in counts)
    cores = dict((count, []) for count in counts)
    for _ in range(rounds):
        for count in counts:
            before, began = cpu_time(), now()
            took[count].append(run(work, times, count))
            after, ended = cpu_time(), now()
            if after is not None and after > before:
                cores[count].append((after - before) / (ended - began))
    return [{"workers": count, "seconds": took[count], "cores_used": cores[count]} for count in counts]


def facts():
    """What the interpreter says of itself; None for what it does not say."""
    try:
        import sysconfig

        free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    except Exception:
        free_threaded = False
    implementation = platform.python_implementation()
    if hasattr(sys, "_is_gil_enabled"):
        gil = bool(sys._is_gil_enabled())
    else:
        gil = {"CPython": True, "PyPy": True, "Jython": False, "IronPython": False}.get(implementation)
    own = getattr(sys, "pypy_version_info", None)
    return {
        "implementation": implementation,
        "python": platform.python_version(),
        "version": ".".join(map(str, own[:3])) if own else platform.python_version(),
        "executable": sys.executable,
        "free_threaded": free_threaded,
        "gil": gil,
        "switch_interval_s": sys.getswitchinterval() if hasattr(sys, "getswitchinterval") else None,
        "machine": platform.machine(),
    }


def main():
    """As the module says."""
    seconds, rounds = float(sys.argv[1]), int(sys.argv[2])
    counts = [int(count) for count in sys.argv[3:]]
    found = facts()
    found["python_threads"] = measured(on_threads, compute, seconds, rounds, counts)
    found["native_threads"] = measured(on_threads, digest, seconds, rounds, counts)
    found["processes"] = None
    if hasattr(os, "fork") and found["implementation"] in ("CPython", "PyPy"):
        found["processes"] = measured(in_processes, compute, seconds, rounds, counts)
    print("headway-gil " + json.dumps(found))


if __name__ == "__main__":
    main()
