"""Programs that hang, or seem to, under `headway trace`."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway.trace.report import as_dict
from observed import program_of
from tracing import PROGRAMS

HANGS = ("deadlock", "stuck")
STILL_S = 6.0
"""After so long headway has looked often enough to have an opinion."""


@dataclass
class Run:
    """A program under `headway trace`, in a session of its own, with its output in files."""

    process: subprocess.Popen[bytes]
    directory: Path
    folder: Path
    live: list[dict[str, Any]] = field(default_factory=list)

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    def told(self) -> list[str]:
        """The findings that were told while it ran, by kind."""
        return re.findall(r"^headway: (deadlock|stuck): ", self.stderr, re.MULTILINE)

    def found(self) -> list[dict[str, Any]]:
        """What the report finds of hangs."""
        return [one for one in as_dict(self.directory)["findings"] if one["kind"] in HANGS]

    def end(self, *, killed: bool) -> int:
        """Wait for the program, or kill it first; and everything that it has started."""
        if killed:
            os.kill(program_of(self.process.pid), signal.SIGKILL)
        status = self.process.wait()
        self.clear()
        return status

    def clear(self) -> None:
        """Leave nothing of it behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            while True:  # one that is about to die looks as if it ran
                os.killpg(self.process.pid, 0)
                time.sleep(0.005)
        self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()


def start(program: str, *args: str, folder: Path, options: Iterable[str] = ()) -> Run:
    folder.mkdir(parents=True)
    command: list[str | Path] = [sys.executable, "-m", "headway", "trace", "-o", folder / "trace", *options]
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [*command, PROGRAMS / f"{program}.py", *args],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    return Run(process, folder / "trace", folder)


def wait_for_start(runs: Iterable[Run]) -> None:
    for run in runs:
        while "started\n" not in run.stdout:
            assert run.process.poll() is None, run.stderr
            time.sleep(0.01)


def wait_for_verdict(run: Run) -> None:
    while not run.told():
        assert run.process.poll() is None, run.stderr
        time.sleep(0.02)


def functions(program: str) -> list[str]:
    """What a program can be asked to do."""
    names = re.findall(r"^def (\w+)\(\) -> None:", (PROGRAMS / f"{program}.py").read_text(), re.MULTILINE)
    return [name for name in names if name not in ("forward", "backward")]
