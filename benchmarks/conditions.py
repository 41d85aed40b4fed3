"""Under what a benchmark ran, for the head of its table; and where it is, on a terminal."""

import contextlib
import datetime
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path


def machine() -> str:
    """Date, Python, cores, kernel and load of now, as one line."""
    model = platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        rows = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(row.partition(": ")[2] for row in rows if row.startswith("model name"))
    now = datetime.datetime.now(tz=datetime.UTC)
    return (
        f"{now:%Y-%m-%d %H:%M} UTC, CPython {platform.python_version()}, "
        f"{len(os.sched_getaffinity(0))} cores ({model}), Linux {platform.release()}, "
        f"load {os.getloadavg()[0]:.1f}"
    )


def _core_time() -> tuple[int, int]:
    """Of all cores since the machine started, in ticks: they ran; they could have, but the host ran other guests."""
    with contextlib.suppress(OSError, ValueError):
        row = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()
        user, nice, system, _, _, irq, softirq, steal = map(int, row[1:9])  # man 5 proc_stat
        return user + nice + system + irq + softirq, steal
    return 0, 0


_AT_START = _core_time()


def afterwards() -> str:
    """Load of now; and, of the time since the start for which cores were wanted, what the host gave to others."""
    ran, stolen = (now - then for now, then in zip(_core_time(), _AT_START, strict=True))
    share = stolen / max(ran + stolen, 1)
    return f"{os.getloadavg()[0]:.1f} at the end, {share:.0%} stolen by the host"


def versions(packages: Iterable[str]) -> str:
    """Those of the packages that are installed. A peer of the standard library has no name: ``""``."""
    found = []
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError, ValueError):
            found.append(f"{package} {importlib.metadata.version(package)}")
    return ", ".join(found)


def tell(what: str) -> None:
    """Show what runs now, in the place of what was shown before."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)
