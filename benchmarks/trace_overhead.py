"""What tracing costs: wall and CPU ratios of whole programs, traced to plain, beside three other tools.

    python benchmarks/trace_overhead.py [--quick] [--runs N] [--only NAME] [--peers] [--json FILE]

Every traced run is paired with a plain run, and both run in turns, a slice of a tenth of a second each
(`trace_sliced.py`), so that what the machine does meanwhile happens to both. A ratio is the median over
the pairs, with the quartiles after it. The line `plain` pairs plain runs with plain runs: that is the
noise, and a ratio within its quartiles is no difference. The programs are in `programs/`; each does a
fixed amount of work, in about two seconds.

headway is measured as it is used. `headway.trace.launch` starts the program; its wall time is from the
start of the process to its end, its CPU time that of all its processes as the kernel counts them; both
are compared with the same figures of a plain run. The report afterwards is on its own, in the column
`report`.

Of the peers, which run one after the other with a plain run, only the program's own work is measured
(`programs/measured.py`), not their start nor what they save at the end; but for py-spy, which is a
process of its own, the CPU time is that of both. The time that a peer takes around the work is in
`report`: of the first run, and not waited for longer than ten seconds.
"""

import argparse
import json
import resource
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from conditions import afterwards, machine, tell, versions
from trace_run import PEERS, Pairs, RunFailed, Runner, Sample, missing
from trace_table import as_json, table

from headway import _native
from headway.errors import HeadwayError

AMOUNTS = {
    "cpu_threads": 7000,
    "locks": 260,
    "turns": 18000,
    "convoy": 3600,
    "producers": 18000,
    "tasks": 70,
    "http_load": 900,
    "pool": 120,
    "stat_loop": 760,
    "mixed": 1800,
}
"""Programs, and how much work is about two seconds of each."""
if find_spec("gevent") is not None:
    AMOUNTS["greenlets"] = 50


def pair(pairs: Pairs, run: Callable[[], tuple[Sample, Sample]]) -> None:
    """Add a pair of runs, unless one has failed; the traced one is given first."""
    if pairs.failed:
        return
    try:
        traced, plain = run()
    except (RunFailed, HeadwayError, ChildProcessError) as error:
        pairs.failed = str(error)
        return
    pairs.plain.append(plain)
    pairs.traced.append(traced)


def one_by_one(runner: Runner, peer: str, *, plain_first: bool) -> tuple[Sample, Sample]:
    """A run under a peer, and a plain one before or after it."""
    if plain_first:
        plain = runner.plain()
        return PEERS[peer](runner), plain
    return PEERS[peer](runner), runner.plain()


def measure(
    names: list[str], divide: int, runs: int, peer_runs: int, library: Path
) -> dict[str, dict[str, Pairs]]:
    """Run everything. Rounds go over all programs, so that a disturbance does not hit one of them alone."""
    results: dict[str, dict[str, Pairs]] = {name: {"headway": Pairs(), "plain": Pairs()} for name in names}
    with tempfile.TemporaryDirectory(prefix="headway-benchmark-") as scratch:
        runners = {}
        for name in names:
            (Path(scratch) / name).mkdir()
            runners[name] = Runner(name, max(AMOUNTS[name] // divide, 2), Path(scratch) / name, library)
        for runner in runners.values():
            runner.plain()  # warms the disk cache and the .pyc files
        for number in range(runs):
            for name, runner in runners.items():
                tell(f"run {number + 1} of {runs}: {name}")
                pair(results[name]["headway"], partial(runner.in_turns, traced=True))
                if number % 3 == 0:
                    pair(results[name]["plain"], partial(runner.in_turns, traced=False))
                due = [peer for peer in PEERS if number < peer_runs]
                for peer in due[number % 3 :] + due[: number % 3]:
                    tell(f"run {number + 1} of {runs}: {name}, {peer}")
                    pairs = results[name].setdefault(peer, Pairs(failed=missing(peer)))
                    pair(pairs, partial(one_by_one, runner, peer, plain_first=number % 2 == 0))
    tell("")
    return results


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
    results = measure(
        chosen.only or list(AMOUNTS),
        20 if chosen.quick else 1,
        runs,
        min(chosen.peer_runs, runs) if chosen.peers else 0,
        chosen.library.resolve() if chosen.library else _native.library(),
    )
    known = versions(["headway", *PEERS])
    print(
        f"{began}, {afterwards()}\n{known}; medians of pairs (quartiles)\n\n{table(results, quick=chosen.quick)}"
    )
    if chosen.json:
        out = {"machine": began, "versions": known, "results": as_json(results)}
        chosen.json.write_text(json.dumps(out, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    main()
