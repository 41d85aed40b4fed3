"""One contender, one workload, once: what `run.py` starts in a fresh process. Writes its figures to a file.

python run_once.py WORKLOAD CONTENDER COUNT RESULT_FILE STARTED_NS
"""

import time

BEGAN_NS = time.monotonic_ns()  # before anything is imported: a cold start begins here

import json  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from run_contenders import Contender, Session, contenders, warm  # noqa: E402
from run_workloads import WORKS, Work, WrongResults  # noqa: E402

TRIPS_FIRST = 100
LONG_S = 10.0
"""Who takes longer than this maps once; its opening is a small part of that."""


def tell(**figures: float) -> None:
    """Hand over the figures, before the workers are let go: not every library manages that after a crash."""
    place = Path(sys.argv[4])
    place.with_suffix(".new").write_text(json.dumps(figures), encoding="utf-8")
    place.with_suffix(".new").rename(place)


def timed_map(session: Session, work: Work, count: int) -> float:
    """Map once.

    Raises:
        WrongResults: They are not those of a plain loop.
    """
    items = work.items(count)
    began = time.perf_counter()
    results = work.consume(session.map(work.fn, items))
    took_s = time.perf_counter() - began
    if not work.right(results, count):
        raise WrongResults(f"wrong results: {results!r:.80}")
    return took_s


def twice(contender: Contender, work: Work, count: int) -> None:
    work.items(count)  # arrays are made before the clock runs
    began = time.perf_counter()
    with contender.open(work) as session:
        opened_s = time.perf_counter() - began
        took_s = timed_map(session, work, count)
        if took_s > LONG_S:
            tell(first=opened_s + took_s, figure=took_s, single=1)
        else:
            tell(first=opened_s + took_s, figure=timed_map(session, work, count))


def cold(contender: Contender, work: Work, count: int, started_ns: int) -> None:
    with contender.open(work) as session:
        result = work.consume(session.map(work.fn, work.items(count)))
        ended_ns = time.monotonic_ns()
        if not work.right(result, count):
            raise WrongResults(f"wrong result: {result!r:.80}")
        tell(first=(ended_ns - started_ns) / 1e6, figure=(ended_ns - BEGAN_NS) / 1e6)


def trip(contender: Contender, work: Work, count: int) -> None:
    with contender.open(work) as session:
        for number in range(min(TRIPS_FIRST, count)):
            session.call(work.fn, number)
        took, results = [], []
        for number in range(count):
            began = time.perf_counter_ns()
            results.append(session.call(work.fn, number))
            took.append(time.perf_counter_ns() - began)
        if not work.right(results, count):
            raise WrongResults("wrong results")
        took.sort()
        tell(figure=took[len(took) // 2] / 1e3, p99=took[len(took) * 99 // 100] / 1e3)


def memory(contender: Contender, work: Work, count: int) -> None:
    """The figure is taken by `run.py`, from outside."""
    with contender.open(work) as session:
        tell(first=timed_map(session, work, count))


def killed(contender: Contender, work: Work, count: int) -> None:
    with contender.open(work) as session:
        warm(session)
        began = time.perf_counter()
        kept = session.keep(work.fn, work.items(count))
        took_s = time.perf_counter() - began
        if not work.right(kept, count):
            raise WrongResults(f"wrong results: {kept!r:.80}")
        tell(figure=took_s, kept=len(kept))


def main() -> None:
    row, name, number, _, started = sys.argv[1:]
    count = int(number)
    chunk = WORKS[row].chunk
    work = WORKS[row]._replace(count=count, chunk=chunk and max(1, min(chunk, count // 10)))
    contender = next(one for one in contenders(row) if one.name == name)
    if row == "cold":
        cold(contender, work, count, int(started))
    else:
        measure = {"trip": trip, "memory": memory, "kill": killed}.get(row, twice)
        measure(contender, work, count)


if __name__ == "__main__":
    main()
