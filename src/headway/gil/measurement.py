"""One interpreter's measurement: `scaling.py` run in it, and what its times say."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from headway.errors import CannotObserve

__all__ = ["Measurement", "Series", "measure"]

_SCRIPT = Path(__file__).with_name("scaling.py")
_MARK = "headway-gil "
_NOT_PASSED_ON = (
    "LD_PRELOAD",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONSAFEPATH",
    "__PYVENV_LAUNCHER__",
)
"""What would make another interpreter load this one's modules, or trace it."""

ONE_AT_A_TIME = 1.3
"""A speed-up of less, where the machine has more to give, means that one thread runs at a time."""
AT_ONCE = 0.8
"""Threads run at once if their speed-up is at least this share of what the machine gave to processes."""
NOT_BUSY = 1.6
"""The machine has cores to spare if two workers or more were so much faster than one, in any way."""
Kind = Literal["at once", "one at a time", "in part", "unknown"]


@dataclass(frozen=True)
class Series:
    """One kind of work, with different numbers of workers.

    Attributes:
        workers: How many, in rising order, from 1.
        speedup: For each, how many times the work of one was done in the time of one: the ratio of medians.
        cores_used: For each, CPU time by wall time, median of the rounds; None where the interpreter does not tell.
    """

    workers: tuple[int, ...]
    speedup: tuple[float, ...]
    cores_used: tuple[float | None, ...]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Series:
        """From what the script printed."""
        took = {int(row["workers"]): statistics.median(row["seconds"]) for row in rows}
        return cls(
            tuple(took),
            tuple(count * took[1] / seconds for count, seconds in took.items()),
            tuple(statistics.median(row["cores_used"]) if row["cores_used"] else None for row in rows),
        )

    @property
    def best(self) -> float:
        """The greatest speed-up with more than one worker; 1.0 if there was one only."""
        return max(self.speedup[1:], default=1.0)

    def told(self) -> list[dict[str, Any]]:
        """As data that JSON has."""
        return [
            {
                "workers": count,
                "speedup": round(speedup, 3),
                "cores_used": None if used is None else round(used, 3),
            }
            for count, speedup, used in zip(self.workers, self.speedup, self.cores_used, strict=True)
        ]


@dataclass(frozen=True)
class Measurement:
    """What was measured of an interpreter.

    Attributes:
        path: As it was found or named.
        facts: What the interpreter says of itself: `implementation`, `python`, `version`, `executable`,
            `free_threaded`, `gil`, `switch_interval_s`, `machine`.
        python: Python code on threads.
        native: Code that lets go of the GIL, on threads.
        processes: Python code in processes; None where it cannot fork.
    """

    path: Path
    facts: Mapping[str, Any] = field(repr=False)
    python: Series
    native: Series
    processes: Series | None

    @property
    def name(self) -> str:
        """Such as `CPython 3.13.0t` or `PyPy 7.3.11 (Python 3.9.16)`."""
        name = f"{self.facts['implementation']} {self.facts['version']}"
        if self.facts["free_threaded"]:
            name += "t"
        return (
            name
            if self.facts["version"] == self.facts["python"]
            else f"{name} (Python {self.facts['python']})"
        )

    @property
    def gil(self) -> str:
        """What the interpreter says of its GIL."""
        return {True: "with the GIL", False: "without a GIL", None: "GIL not known"}[self.facts["gil"]]

    @property
    def runs(self) -> Kind:
        """How threads run Python code, as far as the times say."""
        given = max(
            series.best for series in (self.python, self.native, self.processes) if series is not None
        )
        if given < NOT_BUSY:
            return "unknown"
        if self.python.best < ONE_AT_A_TIME:
            return "one at a time"
        return "at once" if self.python.best >= AT_ONCE * given else "in part"

    def told(self) -> dict[str, Any]:
        """As data that JSON has."""
        return {
            "path": str(self.path),
            **self.facts,
            "threads_run": self.runs,
            "python_threads": self.python.told(),
            "native_threads": self.native.told(),
            "processes": None if self.processes is None else self.processes.told(),
        }


def measure(
    path: Path, workers: Sequence[int], *, seconds: float = 0.3, rounds: int = 3, timeout_s: float = 300.0
) -> Measurement:
    """Measure an interpreter. Nothing else should run meanwhile.

    Args:
        path: The interpreter, or a program that takes a script as one does.
        workers: How many at once, in rising order; the first is 1.
        seconds: What one piece of work takes.
        rounds: Times that each number of workers is measured.
        timeout_s: After so long it is given up, and ended.
    Raises:
        CannotObserve: It does not run, or does not print what it should.
    """
    env = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
    command = [str(path), str(_SCRIPT), str(seconds), str(rounds), *map(str, workers)]
    try:
        child = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise CannotObserve(f"{path} does not run: {error.strerror}") from error
    try:
        out, err = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise CannotObserve(f"{path} was not done after {timeout_s:.0f} s") from error
    finally:
        if child.poll() is None:  # its children, too
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    line = next((line for line in out.splitlines() if line.startswith(_MARK)), None)
    if line is None:
        raise CannotObserve(f"{path} is no Python that can be measured: {_said(err or out)}")
    facts = json.loads(line.removeprefix(_MARK))
    series = [facts.pop(kind) for kind in ("python_threads", "native_threads", "processes")]
    python, native, processes = [None if rows is None else Series.of(rows) for rows in series]
    assert python is not None
    assert native is not None
    return Measurement(path, facts, python, native, processes)


def _said(text: str) -> str:
    """The line that tells most: a traceback's last, else the first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "it printed nothing"
    return lines[-1 if any(line.startswith("Traceback") for line in lines) else 0][:200]
