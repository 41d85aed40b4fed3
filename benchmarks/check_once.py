"""One tool on one program of the corpus, with one seed after the other; a line of JSON for each. For `check.py`.

    python benchmarks/check_once.py TOOL ARM NAME SCHEDULES SECONDS SEED...

The parent stops it where it hangs, which is why it is a process.
"""

import json
import os
import sys
import warnings

import check_contenders
from check_contenders import CONTENDERS, Budget, Outcome, found
from check_corpus import programs


def main() -> None:
    os.environ.setdefault("FRONTRUN_ACTIVE", "1")  # as its command line does; there is no I/O to watch here
    tool, arm, name, schedules, seconds, *seeds = sys.argv[1:]
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a program prints is no figure
    (program,) = [each for each in programs(arm=arm) if each.name == name]

    def report(outcome: Outcome) -> None:
        out.write(json.dumps({**vars(outcome), "found": found(program, outcome)}) + "\n")
        out.flush()

    check_contenders.report = report
    warnings.simplefilter("ignore")
    for seed in seeds:
        report(CONTENDERS[tool][0](program, int(seed), Budget(int(schedules), float(seconds))))
    out.flush()
    os._exit(0)  # threads that a tool has left behind are not waited for


if __name__ == "__main__":
    main()
