"""Runs a program under the real command line, and gives what it said and what the report says of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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


def trace(
    program: str | Path,
    *args: object,
    tmp_path: Path,
    options: Sequence[str] = (),
    first: str | None = None,
    directory: Path | None = None,
    **how: Any,
) -> Traced:
    """Run a program traced, and read its trace.

    Every trace is checked: the states of each unit add up to its lifetime, to the nanosecond, and the report
    tells the exit status.

    Args:
        program: The name of a file in `tests/programs`, the path of any file, or a source text.
        args: The program's arguments.
        tmp_path: Where to work.
        options: Of the interpreter.
        first: What a shell does before it becomes the interpreter, such as `ulimit -n 9`.
        directory: Of the trace.
        how: For `run`.
    """
    tmp_path.mkdir(exist_ok=True)
    directory = directory or tmp_path / "trace"
    command = python(source_file(program, tmp_path), *args, options=options, first=first)
    what = ["--", *command] if options or first else command[1:]
    ended = run([sys.executable, "-m", "headway", "trace", "-o", directory, *what], **{"cwd": tmp_path} | how)
    traced = Traced(directory, ended.returncode, ended.stdout, ended.stderr, as_dict(directory))
    check_invariants(traced)
    return traced


def python(*words: object, options: Sequence[str] = (), first: str | None = None) -> list[object]:
    """The command that runs this Python; a shell's, if there is something to do first."""
    shell = [] if first is None else ["sh", "-c", f'{first}; exec "$0" "$@"']
    return [*shell, sys.executable, *options, *words]


def run(command: Sequence[object], **how: Any) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal, in a session of its own."""
    how = {"stdin": None if "input" in how else subprocess.DEVNULL, "start_new_session": True} | how
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        **{name: value for name, value in how.items() if value is not None},
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


def unnoticed(program: str | Path, *args: object, tmp_path: Path, **how: Any) -> Traced:
    """Run a program plain, then traced, and check that it did the same: output, errors, exit status.

    Args:
        program: As for `trace`.
        args: Its arguments.
        tmp_path: Where to work.
        how: As for `trace`.
    Returns:
        The traced run.
    """
    of_python = {name: how[name] for name in ("options", "first") if name in how}
    of_run = {name: value for name, value in how.items() if name not in (*of_python, "directory")}
    path = source_file(program, tmp_path)
    plain = run(python(path, *args, **of_python), **{"cwd": tmp_path} | of_run)
    traced = trace(path, *args, tmp_path=tmp_path, **how)
    same(plain, traced)
    return traced


def same(plain: subprocess.CompletedProcess[str], traced: Traced) -> None:
    """Check that two runs of a program did the same."""
    assert traced.stdout == plain.stdout
    # The report follows what the program wrote there. Addresses differ from run to run.
    assert without_addresses(traced.stderr).startswith(without_addresses(plain.stderr))
    assert traced.status == plain.returncode


def without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x...", text)


needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="not for ordinary users: they cannot mount or chroot"
)
