"""What looks for bugs in a program of the corpus: headway, three peers, and plain runs.

Each takes a program, a seed and a budget, and gives an `Outcome`. Each is used as its documentation says. What a tool
has no means for is said before it is tried, and is not counted as missed.
"""

import asyncio
import importlib.util
import inspect
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from check_corpus import Program, imported
from check_frontrun import frontrun, frontrun_cannot

HANG_S = 3.0
"""A run that takes so long without an end is taken for one that hangs, where a tool cannot tell."""
HANGS = {"deadlock", "livelock", "lost-wakeup"}
"""Kinds of programs of which a hang is what goes wrong."""


@dataclass(frozen=True)
class Budget:
    """How many schedules at most, and for how many seconds."""

    schedules: int
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What came of one search.

    Attributes:
        how: The kind of failure in the tool's own word; "" if it found none.
        schedules: Until the bug, or in all; None where the tool does not say.
    """

    how: str
    schedules: int | None
    seconds: float


Contender = Callable[[Program, int, Budget], Outcome]


def _headway(program: Program, seed: int, budget: Budget, granularity: str) -> Outcome:
    from headway import ScheduleFailure, explore

    began = time.perf_counter()
    try:
        verdict = explore(
            program.load(),
            schedules=budget.schedules,
            seconds=budget.seconds,
            seed=seed,
            granularity=granularity,
        )
    except ScheduleFailure as failure:
        return Outcome(failure.kind, failure.details.get("schedule"), time.perf_counter() - began)
    return Outcome("", verdict.schedules, time.perf_counter() - began)


def headway(program: Program, seed: int, budget: Budget) -> Outcome:
    return _headway(program, seed, budget, program.level)


def headway_default(program: Program, seed: int, budget: Budget) -> Outcome:
    return _headway(program, seed, budget, "access")


def interleave(program: Program, seed: int, budget: Budget) -> Outcome:
    import interleave_test

    end = time.monotonic() + budget.seconds

    class Timed(interleave_test.PCTStrategy):
        def more(self) -> bool:
            return time.monotonic() < end

    began = time.perf_counter()
    result = interleave_test.explore(
        program.load(),
        iterations=budget.schedules,
        seed=seed,
        strategy=Timed(),
        granularity="opcode" if program.level in ("access", "opcode") else "line",
        timeout=HANG_S,
        raise_on_failure=False,
    )
    took = time.perf_counter() - began
    return Outcome(result.failure.kind if result.failure else "", result.schedules_run, took)


def detangle(program: Program, seed: int, budget: Budget) -> Outcome:
    import detangle as peer

    began = time.perf_counter()
    try:
        stats = peer.explore(
            program.load(),
            runs=budget.schedules,
            max_duration=budget.seconds,
            seed=seed,
            shrink=False,
            database=False,
        )
    except peer.BugFound as found:
        return Outcome(found.report.failure.kind, found.report.runs, time.perf_counter() - began)
    return Outcome("", stats.runs, time.perf_counter() - began)


def stress(program: Program, seed: int, budget: Budget) -> Outcome:
    """Plain runs, one after the other, for the time of the budget; the seed has no influence.

    A run that hangs ends the process: its threads cannot be stopped.
    """
    scenario = program.load()
    ended: list[BaseException] = []
    threading.excepthook = lambda args: ended.append(args.exc_value or SystemExit())
    sys.setswitchinterval(1e-6)
    began = time.perf_counter()
    runs = 0
    now = [began]

    def watch() -> None:
        while time.perf_counter() - now[0] < HANG_S:
            time.sleep(0.1)
        report(Outcome("hang", runs, time.perf_counter() - began))
        os._exit(0)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    how = ""
    while not how and time.perf_counter() - began < budget.seconds:
        now[0] = time.perf_counter()
        runs += 1
        try:
            result = scenario()
            if inspect.iscoroutine(result):
                asyncio.run(result)
        except Exception as error:
            how = type(error).__name__
        if ended:
            how = type(ended[0]).__name__
    now[0] = float("inf")
    return Outcome(how, runs, time.perf_counter() - began)


report: Callable[[Outcome], None] = print
"""Hands an outcome to who asked. `check_once.py` sets it."""


def _anything(program: Program) -> str:
    return ""


def _interleave_cannot(program: Program) -> str:
    if program.arm != "threads":
        return "threads only"
    text = program.path.read_text()
    if "concurrent" in imported(program):
        return "ThreadPoolExecutor is not modelled"
    if re.search(r"\bTimer\(|\(threading\.Thread\):", text):
        return "subclasses of Thread that were made outside are not modelled"
    return ""


def _detangle_cannot(program: Program) -> str:
    if program.arm != "asyncio":
        return "asyncio only"
    if "async def scenario" not in program.path.read_text():
        return "the program makes its own loop"
    return "threads are not modelled" if "threading" in imported(program) else ""


CONTENDERS: dict[str, tuple[Contender, Callable[[Program], str], str]] = {
    "headway": (headway, _anything, "headway"),
    "headway, access": (headway_default, _anything, "headway"),
    "interleave-test PCT": (interleave, _interleave_cannot, "interleave_test"),
    "frontrun DPOR": (
        lambda program, seed, budget: Outcome(*frontrun(program, seed, budget, "dpor")),
        frontrun_cannot,
        "frontrun",
    ),
    "frontrun random": (
        lambda program, seed, budget: Outcome(*frontrun(program, seed, budget, "random")),
        frontrun_cannot,
        "frontrun",
    ),
    "detangle": (detangle, _detangle_cannot, "detangle"),
    "plain stress": (stress, _anything, "headway"),
}
"""How to search, what cannot be searched, and the module that it needs; in the order of the table."""


def installed(name: str) -> bool:
    return importlib.util.find_spec(CONTENDERS[name][2]) is not None


def found(program: Program, outcome: Outcome) -> bool:
    """A failure that can be what is known of the program: a hang is none where nothing can hang."""
    if outcome.how in ("hang", "step-limit", "time-limit", "timeout"):
        return program.kind in HANGS or program.kind == "ok"
    return outcome.how != ""
