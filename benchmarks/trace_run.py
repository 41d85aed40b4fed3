"""One run of a program, plain or under a tool, and what it took."""

import contextlib
import importlib.metadata
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from trace_sliced import Side, Traced, in_turns

PROGRAMS = Path(__file__).resolve().parent / "programs"
LIMIT_S = 150.0
"""A run that lasts longer is killed, and said to have been."""
PATIENCE_S = 10.0
"""How long a peer may take to save what it has, in its first run; in later ones it is not waited for."""


class RunFailed(Exception):
    """A run did not give its figures; the message says why."""


@dataclass(frozen=True)
class Sample:
    """One run."""

    wall_s: float
    """From the start of the process to its end."""
    cpu_s: float
    """Of all processes that were waited for."""
    work_wall_s: float
    work_cpu_s: float
    report_s: float | None
    """Of headway, the report; of others, all that is not the work. Infinite: cut off; None: not measured."""


@dataclass
class Pairs:
    """The runs of one tool on one program, each with the plain run beside it."""

    plain: list[Sample] = field(default_factory=list)
    traced: list[Sample] = field(default_factory=list)
    failed: str = ""


def start_and_wait(
    command: list[str],
    log: Path,
    environment: dict[str, str],
    mark: Path | None = None,
    patience_s: float = LIMIT_S,
) -> tuple[float, float, bool]:
    """Run a command as `launch` does.

    Returns:
        Its wall time; the CPU time of its process tree; whether it was cut off, having written `mark`, its sign that
        the program's work is done, and then gone on for longer than `patience_s`.
    """
    opened = [
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    start = time.monotonic()
    pid = os.posix_spawn(
        command[0],
        command,
        environment,
        file_actions=opened,
        setpgroup=0,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
    )
    killed = cut = False
    marked_at = 0.0

    def look(signum: int, frame: object) -> None:
        nonlocal killed, cut, marked_at
        now = time.monotonic()
        if mark is not None and not marked_at and mark.exists():
            marked_at = now
        cut = bool(marked_at) and now - marked_at >= patience_s
        killed = now - start > LIMIT_S
        if cut or killed:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    old = signal.signal(signal.SIGALRM, look)
    every_s = 0.05 if patience_s < LIMIT_S else LIMIT_S + 1
    signal.setitimer(signal.ITIMER_REAL, every_s, every_s)
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        end = time.monotonic()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
        _, status, usage = os.wait4(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if killed and not cut:
        raise RunFailed(f"killed after {LIMIT_S:.0f} s")
    if code != 0 and not cut:
        last = log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2][:60]
        raise RunFailed(f"exit status {code}: {last}" if code > 0 else f"died of signal {-code}")
    return end - start, usage.ru_utime + usage.ru_stime, cut


class Runner:
    """Runs one program, plain or under a tool, in a directory of its own."""

    def __init__(self, name: str, amount: int, scratch: Path, library: Path) -> None:
        self.program = [str(PROGRAMS / "measured.py"), name, str(amount)]
        self.pool = name == "pool"
        self.scratch = scratch
        self.library = library
        self.mark = scratch / "mark.json"
        self.log = scratch / "log"
        self.reported = 0
        self.saved: set[str] = set()

    def _work(self) -> tuple[float, float]:
        if not self.mark.exists():
            raise RunFailed("the program did not come to its end")
        done = json.loads(self.mark.read_text(encoding="utf-8"))
        self.mark.unlink()
        return done["wall_s"], done["cpu_s"]

    def _outside(self, command: list[str], patience_s: float = LIMIT_S) -> Sample:
        environment = {**os.environ, "BENCH_MARK": str(self.mark)}
        wall, cpu, cut = start_and_wait(command, self.log, environment, self.mark, patience_s)
        work_wall, work_cpu = self._work()
        around = (math.inf if patience_s else None) if cut else wall - work_wall
        return Sample(wall, cpu, work_wall, work_cpu, around)

    def _saving(self, peer: str, command: list[str]) -> Sample:
        """Run a peer that saves what it has in the program's own process, afterwards."""
        first = peer not in self.saved
        self.saved.add(peer)
        return self._outside([*command, *self.program], PATIENCE_S if first else 0.0)

    def plain(self) -> Sample:
        return self._outside([sys.executable, *self.program])

    def in_turns(self, *, traced: bool) -> tuple[Sample, Sample]:
        """Run it twice, in turns: under headway, or plain; and plain."""
        where = self.scratch / "trace"
        command = [sys.executable, *self.program]
        logs = [self.scratch / f"log-{number}" for number in (0, 1)]
        marks = [self.scratch / f"mark-{number}.json" for number in (0, 1)]
        environments = [{**os.environ, "BENCH_MARK": str(mark)} for mark in marks]
        with contextlib.ExitStack() as sides:
            if traced:
                first: Side = Traced(command, environments[0], logs[0], where, self.library)
            else:
                first = Side(command, environments[0], logs[0])
            sides.callback(first.close)
            second = Side(command, environments[1], logs[1])
            sides.callback(second.close)
            in_turns(first, second)
            for side in (first, second):
                if side.status != 0:
                    raise RunFailed(f"exit status {side.status}")
            report_s = self._report(where) if traced else None
            works = [json.loads(mark.read_text(encoding="utf-8")) for mark in marks]
        one, two = (
            Sample(side.wall_s, side.cpu_s, work["wall_s"], work["cpu_s"], report)
            for side, work, report in zip((first, second), works, (report_s, None), strict=True)
        )
        return one, two

    def _report(self, where: Path) -> float | None:
        if not any(where.glob("*.hw")):
            raise RunFailed("nothing was traced")
        if self.reported == 3:  # it is slower than the program is long; three are enough for a median
            return None
        self.reported += 1
        try:
            command = [sys.executable, "-m", "headway", "report", str(where)]
            return start_and_wait(command, self.log, dict(os.environ))[0]
        except RunFailed as error:
            print(f"headway report: {error}", file=sys.stderr)
            return None

    def viztracer(self) -> Sample:
        save = str(self.scratch / "viztracer.json")
        return self._saving("viztracer", [sys.executable, "-m", "viztracer", "--quiet", "-o", save])

    def py_spy(self) -> Sample:
        command = [tool("py-spy"), "record", "--format", "raw", "-o", str(self.scratch / "py-spy.txt")]
        command += ["--subprocesses"] if self.pool else []
        return self._outside([*command, "--", sys.executable, *self.program])

    def yappi(self) -> Sample:
        save = str(self.scratch / "yappi.txt")
        return self._saving("yappi", [sys.executable, "-m", "yappi", "-c", "wall", "-o", save])


PEERS: dict[str, Callable[[Runner], Sample]] = {
    "viztracer": Runner.viztracer,
    "py-spy": Runner.py_spy,
    "yappi": Runner.yappi,
}


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def missing(peer: str) -> str:
    """Why a peer cannot run, or nothing."""
    try:
        importlib.metadata.version(peer)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
    return ""
