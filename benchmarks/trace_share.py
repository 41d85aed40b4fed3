"""How much of a program's CPU time the tracer's own code takes: samples of Linux' perf.

    python benchmarks/trace_share.py [--only NAME] [--quick]

The other half of `trace_overhead.py`. A ratio of two runs holds all that tracing does to a program, and
all that the machine does to the two runs: where that is much, it takes dozens of pairs to tell one percent.
The share of samples that fall into libheadway.so, or into the clock of the kernel that it reads (and that
the program may read, too), is told within some tenths of a percent by one run, and other load does not
move it. It leaves out what the tracer makes others do: the page faults of its rings, what its writes push
out of the caches, a thread that wakes a microsecond later.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from conditions import machine
from trace_overhead import AMOUNTS
from trace_run import PROGRAMS

EVERY = 2000
"""Samples of each CPU in a second."""


def run(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    if done.returncode != 0:
        sys.exit(f"{command[0]}: exit status {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


def samples(perf: str, name: str, amount: int, scratch: Path) -> Counter[str]:
    """One traced run under perf.

    Returns:
        Samples of the program's processes by the file that the code is from: a library, `[vdso]`, the kernel.
    """
    data, trace = str(scratch / "perf.data"), scratch / "trace"
    record = [perf, "record", "-q", "-e", "cpu-clock", "-F", str(EVERY), "-o", data, "--"]
    headway = [sys.executable, "-m", "headway", "trace", "-o", str(trace)]
    program = [str(PROGRAMS / "measured.py"), name, str(amount)]
    run([*record, *headway, *program], BENCH_MARK=str(scratch / "mark"))
    shutil.rmtree(trace)
    found: Counter[str] = Counter()
    launcher = None
    for line in run([perf, "script", "-i", data, "-F", "pid,ip,dso"]).splitlines():
        pid, _, place = line.strip().partition(" ")
        launcher = launcher or pid  # the first to run
        if pid != launcher:
            found[place.rpartition("(")[2].rstrip(")").rpartition("/")[2]] += 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the work: shows that it runs")
    parser.add_argument("--only", action="append", choices=list(AMOUNTS), metavar="NAME")
    chosen = parser.parse_args()
    perf = shutil.which("perf")
    if perf is None:
        sys.exit("perf is not installed: on Debian, apt-get install linux-perf")
    print(f"{machine()}\n\n{'program':<12} {'samples':>8}  {'tracer':>6}  {'clock, at most':>14}")
    with tempfile.TemporaryDirectory(prefix="headway-benchmark-") as scratch:
        for name in chosen.only or AMOUNTS:
            amount = max(AMOUNTS[name] // (20 if chosen.quick else 1), 2)
            found = samples(perf, name, amount, Path(scratch))
            total = found.total()
            ours, clock = found["libheadway.so"] / total, found["[vdso]"] / total
            print(f"{name:<12} {total:>8}  {ours:>6.2%}  {clock:>14.2%}", flush=True)


if __name__ == "__main__":
    main()
