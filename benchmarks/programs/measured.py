"""Run one of the programs beside this file: `measured.py NAME AMOUNT`.

Writes how long the program's own work took, and its CPU time with that of the processes it waited for, to the
file that BENCH_MARK names. What a peer does before and after the work, in the same process, is so left out.
"""

import importlib
import json
import os
import signal
import sys
import time

LIMIT_S = 120
"""A program that hangs is ended by SIGALRM, without a thread that a tracer would see."""


def main(name: str, amount: int) -> None:
    signal.alarm(LIMIT_S)
    program = importlib.import_module(name)
    cpu, wall = sum(os.times()[:4]), time.monotonic_ns()
    program.work(amount)
    done = {"wall_s": (time.monotonic_ns() - wall) / 1e9, "cpu_s": sum(os.times()[:4]) - cpu}
    if mark := os.environ.get("BENCH_MARK"):
        with open(f"{mark}.new", "w", encoding="utf-8") as file:
            json.dump(done, file)
        os.replace(f"{mark}.new", mark)  # whoever sees it sees all of it


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
