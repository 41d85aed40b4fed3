"""What tracing costs: wall and CPU ratios of whole programs, traced to plain, beside three other tools.

    python benchmarks/trace_overhead.py [--quick] [--runs N] [--only NAME] [--peers] [--json FILE]

Every traced run is paired with a plain run beside it, and which of the two comes first alternates. A
ratio is the median over the pairs, with the quartiles after it. The line `plain` pairs plain runs with
plain runs: that is the noise, and a ratio within its quartiles is no difference. The programs are in
`programs/`; each does a fixed amount of work, in about a second.

headway is measured as it is used. `headway.trace.launch` starts the program; its wall time is from the
start of the process to its end, its CPU time that of all its processes as the kernel counts them; both
are compared with the same figures of a plain run. The report afterwards is on its own, in the column
`report`.

Of the peers only the program's own work is measured (`programs/measured.py`), not their start nor what
they save at the end; but for py-spy, which is a process of its own, the CPU time is that of both. The
time that a peer takes around the work is in `report`: of the first run, and not waited for longer than
ten seconds.
"""

import argparse
import contextlib
import importlib.metadata
import json
import math
import os
import resource
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from conditions import machine, tell, versions

from headway import _native
from headway.errors import HeadwayError
from headway.trace.launch import launch

PROGRAMS = Path(__file__).resolve().parent / "programs"
LIMIT_S = 150.0
"""A run that lasts longer is killed, and said to have been."""
PATIENCE_S = 10.0
"""How long a peer may take to save what it has, in its first run; in later ones it is not waited for."""

AMOUNTS = {
    "cpu_threads": 3500,
    "locks": 130,
    "convoy": 1800,
    "producers": 9000,
    "tasks": 35,
    "http_load": 450,
    "pool": 60,
    "stat_loop": 380,
    "mixed": 900,
}
"""Programs, and how much work is about a second of each."""

GOALS = {"cpu_threads": 1.03, "locks": 1.03, "convoy": 1.03, "producers": 1.03, "pool": 1.03}
GOALS |= {"tasks": 1.10, "http_load": 1.10, "stat_loop": 1.10}


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


@dataclass(frozen=True)
class Ratio:
    """Median and quartiles."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.2f}-{self.high:.2f})"


def ratio(numbers: list[float]) -> Ratio:
    if len(numbers) == 1:
        return Ratio(numbers[0], numbers[0], numbers[0])
    low, median, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return Ratio(median, low, high)


# ---- one run ----


def start_and_wait(
    command: list[str],
    log: Path,
    environment: dict[str, str],
    mark: Path | None = None,
    patience_s: float = LIMIT_S,
) -> tuple[float, float, bool]:
    """Run a command as `launch` does.

    Returns:
        Its wall time; the CPU time of its process tree; whether it was cut off, having written `mark`, its
        sign that the program's work is done, and then gone on for longer than `patience_s`.
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

    def __init__(self, name: str, amount: int, scratch: Path) -> None:
        self.program = [str(PROGRAMS / "measured.py"), name, str(amount)]
        self.pool = name == "pool"
        self.scratch = scratch
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

    def headway(self) -> Sample:
        where = self.scratch / "trace"
        with mock.patch.dict(os.environ, {"BENCH_MARK": str(self.mark)}):
            run = launch([sys.executable, *self.program], directory=where)
        try:
            if run.status != 0:
                raise RunFailed(f"exit status {run.status}")
            if not any(where.glob("*.hw")):
                raise RunFailed("; ".join(run.said))
            manifest = json.loads((where / "trace.json").read_text(encoding="utf-8"))
            wall = (manifest["end_ns"] - manifest["start_ns"]) / 1e9
            report_s = None
            if self.reported < 3:  # it is slower than the program is long; three are enough for a median
                self.reported += 1
                command = [sys.executable, "-m", "headway", "report", str(where)]
                try:
                    report_s, _, _ = start_and_wait(command, self.log, dict(os.environ))
                except RunFailed as error:
                    print(f"headway report: {error}", file=sys.stderr)
            return Sample(wall, manifest["cpu_s"], *self._work(), report_s)
        finally:
            shutil.rmtree(where, ignore_errors=True)

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


# ---- many runs ----


def pair(
    pairs: Pairs, plain: Callable[[], Sample], traced: Callable[[], Sample], *, plain_first: bool
) -> None:
    if pairs.failed:
        return
    try:
        if plain_first:
            one, two = plain(), traced()
        else:
            two, one = traced(), plain()
    except (RunFailed, HeadwayError) as error:
        pairs.failed = str(error)
        return
    pairs.plain.append(one)
    pairs.traced.append(two)


def measure(names: list[str], divide: int, runs: int, peer_runs: int) -> dict[str, dict[str, Pairs]]:
    """Run everything. Rounds go over all programs, so that a disturbance does not hit one of them alone."""
    results: dict[str, dict[str, Pairs]] = {name: {"headway": Pairs(), "plain": Pairs()} for name in names}
    with tempfile.TemporaryDirectory(prefix="headway-benchmark-") as scratch:
        runners = {}
        for name in names:
            (Path(scratch) / name).mkdir()
            runners[name] = Runner(name, max(AMOUNTS[name] // divide, 2), Path(scratch) / name)
        for runner in runners.values():
            runner.plain()  # warms the disk cache and the .pyc files
        for number in range(runs):
            for name, runner in runners.items():
                tell(f"run {number + 1} of {runs}: {name}")
                first = number % 2 == 0
                pair(results[name]["headway"], runner.plain, runner.headway, plain_first=first)
                if number % 3 == 0:
                    pair(results[name]["plain"], runner.plain, runner.plain, plain_first=True)
                due = [peer for peer in PEERS if number < peer_runs]
                for peer in due[number % 3 :] + due[: number % 3]:
                    tell(f"run {number + 1} of {runs}: {name}, {peer}")
                    pairs = results[name].setdefault(peer, Pairs(failed=missing(peer)))
                    pair(pairs, runner.plain, lambda: PEERS[peer](runner), plain_first=first)  # noqa: B023
    tell("")
    return results


# ---- the table ----


def figures(tool: str, pairs: Pairs) -> dict[str, object]:
    """The numbers of one line."""
    line: dict[str, object] = {"tool": tool, "runs": len(pairs.plain), "failed": pairs.failed}
    if not pairs.plain:
        return line
    both = list(zip(pairs.traced, pairs.plain, strict=True))
    if tool in ("viztracer", "yappi"):
        wall = ratio([a.work_wall_s / b.work_wall_s for a, b in both])
        cpu = ratio([a.work_cpu_s / b.work_cpu_s for a, b in both])
    elif tool == "py-spy":
        wall = ratio([a.work_wall_s / b.work_wall_s for a, b in both])
        cpu = ratio([a.cpu_s / b.cpu_s for a, b in both])
    else:
        wall = ratio([a.wall_s / b.wall_s for a, b in both])
        cpu = ratio([a.cpu_s / b.cpu_s for a, b in both])
    # A peer's start and saving: what it takes around the work, less what plain Python takes.
    if tool in PEERS:
        reports = [
            max(a.report_s - b.report_s, 0.0)
            for a, b in both
            if a.report_s is not None and b.report_s is not None
        ]
    else:
        reports = [a.report_s for a in pairs.traced if a.report_s is not None]
    line["wall"], line["cpu"] = wall, cpu
    line["plain_wall_s"] = statistics.median(b.wall_s for b in pairs.plain)
    if tool != "plain":
        line["report_s"] = statistics.median(reports) if reports else None
    return line


def table(results: dict[str, dict[str, Pairs]], *, quick: bool) -> str:
    head = ("program", "tool", "runs", "wall, traced/plain", "CPU, traced/plain", "report", "")
    rows: list[tuple[str, ...]] = [head]
    for name, tools in results.items():
        for number, (tool, pairs) in enumerate(tools.items()):
            line = figures(tool, pairs)
            label = "" if number else name
            if "wall" not in line:
                rows.append((label, tool, "0", "-", "-", "-", pairs.failed))
                continue
            notes = []
            if not number:
                notes.append(f"plain {line['plain_wall_s']:.2f} s")
                wall = line["wall"]
                assert isinstance(wall, Ratio)
                if name in GOALS and not quick:  # a short run is mostly start and end
                    met = "met" if round(wall.median, 2) <= GOALS[name] else "missed"
                    # About twice the standard error of a median: 1.25 sigma / sqrt(n), sigma = 0.74 IQR.
                    error = 2 * 1.25 * 0.74 * (wall.high - wall.low) / math.sqrt(len(pairs.plain))
                    unsure = len(pairs.plain) < 5 or abs(wall.median - GOALS[name]) < error
                    notes.append(f"goal {GOALS[name]:.2f} {met}" + (", within the noise" if unsure else ""))
            if name == "pool" and tool == "yappi":
                notes.append("the parent only: it does not follow processes")
            if pairs.failed:
                notes.append(f"then {pairs.failed}")
            around = line.get("report_s")
            assert around is None or isinstance(around, float)
            report = "" if around is None else f"{around:.1f} s"
            if around == math.inf:
                report = f"> {PATIENCE_S:.0f} s"
            rows.append(
                (
                    label,
                    tool,
                    str(line["runs"]),
                    str(line["wall"]),
                    str(line["cpu"]),
                    report,
                    ", ".join(notes),
                )
            )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    text = []
    for number, row in enumerate(rows):
        text.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number == 0:
            text.append("  ".join("-" * width for width in widths[:-1]))
    return "\n".join(text)


def as_json(results: dict[str, dict[str, Pairs]]) -> dict[str, list[dict[str, object]]]:
    """The figures and every run; what was cut off has null for its report, as what was not measured has."""

    def plainly(value: object) -> object:
        return vars(value) if isinstance(value, Ratio) else None if value == math.inf else value

    def runs(samples: list[Sample]) -> list[dict[str, object]]:
        return [{name: plainly(value) for name, value in vars(sample).items()} for sample in samples]

    return {
        name: [
            {name: plainly(value) for name, value in figures(tool, pairs).items()}
            | {"plain_runs": runs(pairs.plain), "traced_runs": runs(pairs.traced)}
            for tool, pairs in tools.items()
        ]
        for name, tools in results.items()
    }


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--quick", action="store_true", help="a twentieth of the work, once: shows that it runs"
    )
    parser.add_argument("--runs", type=int, metavar="N", help="pairs of runs of each program [default: 11]")
    parser.add_argument(
        "--only", action="append", choices=list(AMOUNTS), metavar="NAME", help=f"{', '.join(AMOUNTS)}"
    )
    parser.add_argument(
        "--peers", action="store_true", help="VizTracer, py-spy and yappi, too, in the first rounds"
    )
    parser.add_argument(
        "--peer-runs", type=int, metavar="N", default=3, help="pairs of runs of each peer [default: 3]"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures and every run to a file, too"
    )
    parser.add_argument("--library", type=Path, metavar="FILE", help="another build of libheadway.so")
    return parser.parse_args()


def main() -> None:
    chosen = options()
    runs = chosen.runs or (1 if chosen.quick else 11)
    began = machine()
    replaced = chosen.library.resolve() if chosen.library else _native.library()
    with mock.patch.object(_native, "library", return_value=replaced):
        results = measure(
            chosen.only or list(AMOUNTS),
            20 if chosen.quick else 1,
            runs,
            min(chosen.peer_runs, runs) if chosen.peers else 0,
        )
    known = versions(["headway", *PEERS])
    print(f"{began}\n{known}; medians of pairs (quartiles)\n\n{table(results, quick=chosen.quick)}")
    if chosen.json:
        out = {"machine": began, "versions": known, "results": as_json(results)}
        chosen.json.write_text(json.dumps(out, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    main()
