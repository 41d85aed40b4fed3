"""Writes a trace of many records, reads it in a process of its own, prints seconds and peak memory as JSON.

`python tests/support/bench_scale.py DIR RECORDS [THREADS]`; with only DIR it reads the trace that is there.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path


def make(directory: Path, records: int, threads: int) -> None:
    import numpy as np

    from headway.trace import format as fmt
    from headway.trace.format import Kind
    from synthetic import T0, FakeTrace

    trace = FakeTrace(directory)
    process = trace.process()
    lock = process.lock()
    random = np.random.default_rng(1)
    for number in range(threads):
        n = records // threads
        rows = np.zeros(n, fmt.RECORD)
        kinds = np.array([Kind.PYTHON, Kind.GIL, Kind.NATIVE, Kind.LOCK, Kind.SLEEP, Kind.IO], np.uint64)
        kind = kinds[random.choice(6, n, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.05])]
        lengths = random.integers(100, 10_000, n, dtype=np.uint64)
        rows["dur_kind"] = lengths << np.uint64(8) | kind
        rows["start_ns"][0] = T0
        rows["start_ns"][1:] = T0 + np.cumsum(lengths)[:-1]
        rows["a"] = np.where(kind == Kind.LOCK, lock, 0)
        rows["c"] = (number + 1) % threads
        process.thread(f"worker-{number}", at_ns=T0).bulk(rows).ends()
    end = max(thread.at_ns for thread in process.threads)
    process.end_ns = trace.end_ns = end
    process.locks[lock].update(waits=1000, wait_ns=end - T0, longest_ns=10_000)
    process.edges[lock, 0, 1] = [1000, end - T0]
    trace.write()


def read(directory: Path) -> dict[str, float]:
    import io

    from headway.trace.report import write

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    write(directory, io.StringIO())
    took = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": round(took, 3), "peak_mib": peak / 1024, "before_mib": before / 1024}


if __name__ == "__main__":
    where = Path(sys.argv[1])
    if len(sys.argv) > 2:
        make(where, int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 8)
    else:
        print(json.dumps(read(where)))
