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
