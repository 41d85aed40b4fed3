"""Two programs that run in turns, a slice at a time: one is stopped (SIGSTOP) while the other runs.

The speed of a shared machine changes by a factor of two from one second to the next. Of two runs, one after the other,
one may so take twice as long as the other whatever they do; of a hundred short slices of each, in turns, both see the
same of it. A program's wall time is that of its slices.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import shutil
import signal
import sys
import time
from pathlib import Path

SLICE_S = (0.06, 0.14)
"""A slice lasts from the first to the second, by chance, so that it does not keep step with what a program does."""

LAUNCH = """
import pathlib, sys
from headway import _native
from headway.trace.launch import launch

library, where = map(pathlib.Path, sys.argv[1:3])
_native.library = lambda: library
sys.exit(launch(sys.argv[3:], directory=where).status)
"""


class Side:
    """A program that is started stopped, runs for a slice now and then, and ends.

    Args:
        command: The program.
        environment: Its environment.
        log: Where its output goes.

    Attributes:
        wall_s: Of its slices.
        cpu_s: Of its process tree, when it has ended.
        status: Its exit status, or minus the signal that ended it.
    """

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.wall_s = self.cpu_s = 0.0
        self.status: int | None = None
        self._log = log
        self._started = time.monotonic()
        self._group = self._spawn(command, environment)
        self._ends = select.poll()
        self._pidfd = -1
        self._watch(self._program())
        self._halt()

    def _spawn(self, command: list[str], environment: dict[str, str]) -> int:
        opened = [
            (os.POSIX_SPAWN_OPEN, 1, str(self._log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        return os.posix_spawn(command[0], command, environment, file_actions=opened, setpgroup=0)

    def _program(self) -> int:
        """The process whose end is the program's."""
        return self._group

    def _watch(self, pid: int) -> None:
        self._pidfd = os.pidfd_open(pid)
        self._ends.register(self._pidfd, select.POLLIN)

    def _halt(self) -> None:
        os.killpg(self._group, signal.SIGSTOP)
        self.wall_s += time.monotonic() - self._started

    def run(self, for_s: float | None) -> bool:
        """Let it run for so long, or to its end; true when it has ended."""
        self._started = time.monotonic()
        os.killpg(self._group, signal.SIGCONT)
        if not self._ends.poll(None if for_s is None else for_s * 1000):
            self._halt()
            return False
        self.wall_s += time.monotonic() - self._started
        self._over()
        return True

    def _over(self) -> None:
        _, status, usage = os.wait4(self._group, 0)
        self.status, self.cpu_s = os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime

    def close(self) -> None:
        """Kill it, if it has not ended."""
        os.close(self._pidfd)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._group, signal.SIGKILL)
        if self.status is None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._group, 0)


class Traced(Side):
    """The same under headway, started by `headway.trace.launch` in a process of its own, which is stopped with it."""

    def __init__(
        self, command: list[str], environment: dict[str, str], log: Path, where: Path, library: Path
    ) -> None:
        self._where = where
        super().__init__([sys.executable, "-c", LAUNCH, str(library), str(where), *command], environment, log)

    def _manifest(self) -> dict[str, object]:
        try:
            found: dict[str, object] = json.loads((self._where / "trace.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            found = {}
        return found

    def _program(self) -> int:
        while not (known := self._manifest().get("pid")):
            if os.waitid(os.P_PID, self._group, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
                raise ChildProcessError(self._log.read_text(encoding="utf-8", errors="replace")[-200:])
            time.sleep(0.001)
        assert isinstance(known, int)
        start_ns = self._manifest()["start_ns"]
        assert isinstance(start_ns, int)
        self._started = start_ns / 1e9  # what came before is headway's own start
        return known

    def _over(self) -> None:
        super()._over()
        cpu_s = self._manifest()["cpu_s"]
        assert isinstance(cpu_s, float), (self.status, self._log.read_text(), self._manifest())
        self.cpu_s = cpu_s

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._where, ignore_errors=True)


def in_turns(one: Side, two: Side) -> None:
    """Run both to their ends."""
    first, second = one, two
    while True:
        slice_s = random.uniform(*SLICE_S)
        if first.run(slice_s):
            second.run(None)
            return
        if second.run(slice_s):
            first.run(None)
            return
        first, second = second, first
