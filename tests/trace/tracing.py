"""Runs a program under the real command line, and gives what it said and what the report says of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.trace.model import Trace
from headway.trace.report import as_dict

PROGRAMS = Path(__file__).parents[1] / "programs"
PYMUTEX = sys.version_info >= (3, 14)
"""threading.Lock is a PyMutex: where it was made, and its owner before a release, cannot be seen."""

Report = dict[str, Any]


@dataclass(frozen=True)
class Traced:
    """A program that has run under the tracer."""

    directory: Path
    status: int
    stdout: str
    stderr: str
    report: Report

    @property
    def said(self) -> Any:
        """The JSON that the program printed last."""
        return json.loads(self.stdout.splitlines()[-1])

    def threads(self, process: Report | None = None) -> list[Report]:
        """All threads, or those of one process."""
        return [
            unit
            for unit in self.report["units"]
            if unit["kind"] == "thread" and process in (None, self.unit(unit["process"]))
        ]

    def processes(self) -> list[Report]:
        return [unit for unit in self.report["units"] if unit["kind"] == "process"]

    def thread(self, name: str) -> Report:
        """The only thread of that name."""
        (found,) = (unit for unit in self.threads() if unit["name"] == name)
        return found

    def unit(self, number: int) -> Report:
        found: Report = self.report["units"][number - 1]
        assert found["id"] == number
        return found

    def name(self, number: int | None) -> str | None:
        return None if number is None else self.unit(number)["name"]


def trace(program: str | Path, *args: object, options: list[str] | None = None, **how: Any) -> Traced:
    """Run a program of `tests/programs` by its name, any program by its path, or a source text, traced.

    Every trace is checked: the states of each unit add up to its lifetime, to the nanosecond, and its report
    tells the exit status.

    Args:
        program: What to run.
        args: Its arguments.
        options: Of the interpreter; then the interpreter is started as a command.
        how: For `run`; `tmp_path` is needed.
    """
    tmp_path: Path = how.pop("tmp_path")
    tmp_path.mkdir(exist_ok=True)
    path = source_file(program, tmp_path)
    directory = tmp_path / "trace"
    what = [path] if options is None else ["--", sys.executable, *options, path]
    command = [sys.executable, "-m", "headway", "trace", "-o", directory, *what, *args]
    ended = run(command, cwd=tmp_path, **how)
    traced = Traced(directory, ended.returncode, ended.stdout, ended.stderr, as_dict(directory))
    check_invariants(traced)
    return traced


def run(command: list[Any], **how: Any) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal; it is in a process group of its own."""
    how = {"stdin": subprocess.DEVNULL, "capture_output": True, "start_new_session": True} | how
    return subprocess.run(
        [str(word) for word in command], text=True, errors="surrogateescape", check=False, **how
    )


def source_file(program: str | Path, tmp_path: Path) -> Path:
    if isinstance(program, Path):
        return program
    if "\n" not in program:
        return PROGRAMS / f"{program}.py"
    path = tmp_path / "prog.py"
    path.write_text(textwrap.dedent(program), encoding="utf-8")
    return path


def check_invariants(traced: Traced) -> None:
    read = Trace(traced.directory)
    for unit in read.threads:
        assert int(unit.totals.sum()) == unit.end_ns - unit.start_ns, f"{unit.name} does not add up"
    for unit in traced.report["units"]:
        if unit["end_s"] is not None:
            lifetime = unit["end_s"] - unit["start_s"]
            assert abs(states_s(unit) - lifetime) < 1e-6, f"{unit['name']} does not add up"
    assert traced.report["exit"] == traced.status


def states_s(unit: Report) -> float:
    """The sum of a unit's states."""
    states = unit["states"]
    return float(
        states["start"]
        + states.get("unknown", 0)
        + sum(sum(states[state].values()) for state in ("ready", "running", "waiting"))
    )


def close(measured_s: float, expected_s: float, *, noise_s: float = 0.0) -> bool:
    """Whether a time is the expected one, within 2 % or 1 ms.

    Args:
        measured_s: What the report says.
        expected_s: What the program measured around the same region.
        noise_s: What the program's clock saw besides; at most a fifth of the time is excused by it.
    """
    return abs(measured_s - expected_s) <= max(0.02 * expected_s, 0.001) + min(noise_s, 0.2 * expected_s)


def noise_s(unit: Report) -> float:
    """How long a thread stood in line for a core or the GIL: a clock around a wait measures that, too."""
    return float(unit["states"]["ready"]["cpu"] + unit["states"]["ready"]["gil"])


@dataclass(frozen=True)
class Both:
    """A program that has run plain and traced."""

    plain: subprocess.CompletedProcess[str]
    traced: Traced


def unnoticed(program: str | Path, *args: object, tmp_path: Path, **how: Any) -> Both:
    """Run a program plain, then traced, and check that it did the same: output, errors, exit status.

    Args:
        program: As for `trace`.
        args: Its arguments.
        tmp_path: Where to work.
        how: `options` of the interpreter; the rest is for `run`.
    """
    path = source_file(program, tmp_path)
    options = how.get("options") or []
    plain_how = {name: value for name, value in how.items() if name != "options"}
    plain = run([sys.executable, *options, path, *args], cwd=tmp_path, **plain_how)
    traced = trace(path, *args, tmp_path=tmp_path, **how)
    assert traced.stdout == plain.stdout
    # The report follows what the program wrote there.
    assert traced.stderr.startswith(plain.stderr), (plain.stderr, traced.stderr)
    assert traced.status == plain.returncode
    return Both(plain, traced)


def text_report(traced: Traced) -> str:
    """What `headway report` prints of a trace."""
    ended = run([sys.executable, "-m", "headway", "report", traced.directory])
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def died_of(traced: Traced, number: signal.Signals) -> bool:
    return traced.status == -number and os.WIFSIGNALED(number)
