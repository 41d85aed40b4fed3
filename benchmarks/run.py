"""What a map costs: headway beside the plain loop and eight libraries, on eleven workloads.

    python benchmarks/run.py [--quick] [--rounds N] [--only WORKLOAD]... [--peers NAME...] [--json FILE]

Every contender runs in a fresh process in every round (`run_once.py`), and rounds go over all workloads and
contenders, so that a disturbance does not hit one of them alone. Medians are shown. `again` is what is compared:
a second map in the same process, when workers are up; `first` is the first one, from the import of the library
on. Results are compared with those of the plain loop, and wrong ones are a failure.

A `ratio` is to the best peer of the workload, in whichever setting it does best. Contenders that fail say
why; one that has not ended after the limit is killed, with all its processes, and not tried again.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import ctypes
import importlib.metadata
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from conditions import afterwards, machine, tell, versions
from run_contenders import PEERS, Contender, contenders
from run_table import Cell, goals, table_of
from run_workloads import WORKS, expected_count, spin

HERE = Path(__file__).resolve().parent
LONG_S = 15.0
"""Who takes longer for a workload runs it in the first round only."""
CLOSING_S = 5.0
"""How long a contender may take to let its workers go; its figures are there by then."""
SAMPLE_S = 0.05
"""How often memory is looked at."""


class Failed(Exception):
    """A run gave no figures; the message says why."""


# ---- one run ----


def children() -> dict[int, list[int]]:
    """All processes by their parent."""
    found: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError):
                text = Path(f"/proc/{entry}/stat").read_text(encoding="utf-8", errors="replace")
                found.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(entry))
    return found


def tree(pid: int) -> list[int]:
    """What descends from a process, without it. We are a subreaper, so whoever loses its parent is ours."""
    below, found, left = children(), [], [pid]
    while left:
        for child in below.get(left.pop(), []):
            found.append(child)
            left.append(child)
    return found


def end_all(but: int = 0) -> None:
    """Kill everything that a run has left behind, and reap it."""
    while left := [pid for pid in tree(os.getpid()) if pid != but]:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)


def memory_mb(pids: list[int]) -> float:
    """What processes have in memory together; what they share counts once."""
    total_kb = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for row in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
                if row.startswith("Pss:"):
                    total_kb += int(row.split()[1])
    return total_kb * 1024 / 1e6


def last_words(log: Path) -> str:
    """Of a traceback, the line that says what it was."""
    said = [row.strip() for row in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    errors = [
        row for row in said if row.partition(":")[0].endswith(("Error", "Exception", "Results", "Died"))
    ]
    return (errors or [row for row in said if row] or ["it said nothing"])[-1][:90]


def run_one(row: str, contender: Contender, count: int, limit_s: float, scratch: Path) -> dict[str, float]:
    """Run a contender once, in a process of its own.

    Returns:
        Its figures; `unclosed` is among them if it had to be killed after it had given them.
    """
    place, log = scratch / "figures.json", scratch / "log"
    place.unlink(missing_ok=True)
    peak_mb = 0.0
    with served(row) as environment, log.open("wb") as out:
        command = [sys.executable, str(HERE / "run_once.py"), row, contender.name, str(count), str(place)]
        process = subprocess.Popen(
            [*command, str(time.monotonic_ns())],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        server = int(environment.get("BENCH_SERVER", "0"))
        began, told_s = time.monotonic(), 0.0
        try:
            while True:
                # Only memory is looked at often: a look takes milliseconds, from someone else's core.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(SAMPLE_S if row == "memory" else 0.5)
                    break
                if row == "memory":
                    peak_mb = max(peak_mb, memory_mb(tree(os.getpid())))
                if place.exists():
                    told_s = told_s or time.monotonic()
                if time.monotonic() - (told_s or began) > (CLOSING_S if told_s else limit_s):
                    break
            code = process.poll()
        finally:
            end_all(but=server)
    if place.exists():
        figures = json.loads(place.read_text(encoding="utf-8"))
        if row == "memory":
            figures["figure"] = peak_mb
        return figures | ({"unclosed": 1.0} if code is None else {})  # type: ignore[no-any-return]
    if code is None:
        raise Failed(f"killed after {limit_s:.0f} s")
    raise Failed(f"died of {signal.Signals(-code).name}" if code < 0 else last_words(log))


@contextlib.contextmanager
def served(row: str) -> Iterator[dict[str, str]]:
    """The environment of a run, and the server if it needs one."""
    environment = {**os.environ, "RAY_DISABLE_IMPORT_WARNING": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    if row != "http":
        yield environment
        return
    command = [sys.executable, str(HERE / "run_server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as server:
        assert server.stdout is not None
        environment |= {"BENCH_PORT": server.stdout.readline().strip(), "BENCH_SERVER": str(server.pid)}
        try:
            yield environment
        finally:
            server.kill()


def compile_ours() -> None:
    """Leave the bytecode of headway, and of the benchmark, beside them, as pip does: a checkout may have none."""
    places = [HERE]
    found = importlib.util.find_spec("headway")
    if found is not None and found.origin is not None:
        places.append(Path(found.origin).parent)
    for place in places:
        compileall.compile_dir(place, quiet=2)


def calibrate() -> None:
    """Find out how much work is 10 ms here, once, so that all contenders are given the same."""

    def fastest(work: object, *args: object) -> float:
        took = []
        for _ in range(7):
            began = time.perf_counter()
            work(*args)  # type: ignore[operator]
            took.append(time.perf_counter() - began)
        return min(took)

    os.environ["BENCH_LOOPS"] = str(int(200_000 * 0.010 / fastest(spin, 200_000)))
    import numpy as np

    array = np.random.default_rng(7).random(200_000)
    os.environ["BENCH_SORTED"] = str(int(200_000 * 0.010 / fastest(np.sort, array)))


# ---- many runs ----


def missing(peer: str) -> str:
    """Why a peer cannot run, or nothing."""
    package = PEERS.get(peer, "")
    return f"{package} is not installed" if package and importlib.util.find_spec(package) is None else ""


class Plan(NamedTuple):
    rows: list[str]
    peers: list[str]
    rounds: int
    quick: bool
    limit_s: float


def measure(plan: Plan) -> dict[str, list[Cell]]:
    table: dict[str, list[Cell]] = {}
    for row in plan.rows:
        wanted = [one for one in contenders(row) if one.peer in ("", "headway", *plan.peers)]
        table[row] = [Cell(one, failed=missing(one.peer)) for one in wanted]
    # Ctrl-C, and a SIGTERM, end the measuring: what was measured until then is shown.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="headway-benchmark-") as scratch,
        contextlib.suppress(KeyboardInterrupt),
    ):
        for number in range(plan.rounds):
            for row, cells in table.items():
                first = number * 5 % len(cells)
                for cell in cells[first:] + cells[:first]:
                    one_round(row, cell, plan, number, Path(scratch))
    tell("")
    return table


def one_round(row: str, cell: Cell, plan: Plan, number: int, scratch: Path) -> None:
    if cell.failed or "long" in cell.notes:
        return
    tell(f"round {number + 1} of {plan.rounds}: {row}, {cell.contender.name}")
    count = expected_count(row, quick=plan.quick)
    began = time.monotonic()
    try:
        figures = run_one(row, cell.contender, count, plan.limit_s, scratch)
    except Failed as error:
        cell.failed = str(error)
        return
    if figures.pop("unclosed", 0):
        cell.notes.add("does not close: killed")
    if figures.pop("single", 0):
        cell.notes.add("mapped once")
    cell.rounds.append(figures)
    if time.monotonic() - began > LONG_S:
        cell.notes.add("long")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--quick", action="store_true", help="a twentieth of the calls, once: shows that it runs"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of everything [default: 5]")
    parser.add_argument(
        "--only", action="append", choices=list(WORKS), metavar="WORKLOAD", help=", ".join(WORKS)
    )
    parser.add_argument(
        "--peers", nargs="*", choices=list(PEERS), metavar="NAME", help=f"[default: all] {', '.join(PEERS)}"
    )
    parser.add_argument(
        "--limit", type=float, metavar="S", help="seconds until a run is killed [default: 60, quick: 20]"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round to a file, too")
    return parser.parse_args()


def main() -> None:
    chosen = options()
    peers = list(PEERS) if chosen.peers is None else chosen.peers
    rounds = chosen.rounds or (1 if chosen.quick else 5)
    limit_s = chosen.limit or (20.0 if chosen.quick else 60.0)
    began = machine()
    # Who loses its parent becomes a child of this process, so that no run leaves anything behind.
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    compile_ours()
    calibrate()
    plan = Plan(chosen.only or list(WORKS), peers, rounds, chosen.quick, limit_s)
    table = measure(plan)
    known = versions(["headway", "numpy", *(PEERS[peer] for peer in peers)])
    print(f"{began}, {afterwards()}\n{known}; medians, ratio to the best peer")
    for row, cells in table.items():
        if any(cell.rounds for cell in cells):
            print(f"\n{table_of(row, cells, quick=chosen.quick)}")
        else:
            print(f"\n{row}: not measured")
    absent = [f"{peer}: {missing(peer)}" for peer in peers if missing(peer)]
    for line in absent:
        print(f"\nmissing: {line}")
    if not chosen.quick:  # a twentieth of the work is mostly start and end
        print("\ngoals\n\n" + "\n".join(goals(table, peers)))
    if chosen.json:
        out = {
            "machine": began,
            "versions": known,
            "results": {
                row: [
                    {"contender": cell.contender.name, "peer": cell.contender.peer, "failed": cell.failed}
                    | {"notes": sorted(cell.notes), "rounds": cell.rounds}
                    for cell in cells
                ]
                for row, cells in table.items()
            },
        }
        chosen.json.write_text(json.dumps(out, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
