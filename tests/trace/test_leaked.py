"""The finding leaked: given where things pile up that nobody ends, and not where it looks so."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from headway.trace.findings import Finding, Leaked
from headway.trace.findings.pile import COUNT, Thing, piled
from headway.trace.format import Kind
from headway.trace.model import Trace
from synthetic import MS, T0, FakeTrace, S
from tracing import PROGRAMS, trace

native = pytest.mark.native
SOURCE = (PROGRAMS / "leaks.py").read_text(encoding="utf-8")
WAYS = re.findall(r"^def (\w+)\(\) -> None:", SOURCE, re.MULTILINE)
LEAKS = {
    "threads_at_a_queue": "24 threads made at {} never ended: they waited for a queue to the end",
    "threads_at_an_event": "24 threads made at {} never ended: they waited for an event to the end",
    "executors": "24 executors, first used at {}, were never shut down: their 24 threads had nothing to do any more",
    "tasks_at_an_event": "24 tasks made at {} never ended: they waited for an event",
    # The request that has made the last one is not over then.
    "tasks_of_requests": "23 tasks made at {} never ended: they waited for a queue at ",
    "task_without_a_reference": "task `lost`, made at {}, was thrown away while it waited at ",
    "greenlets_at_an_event": "24 greenlets made at {} never ended: they waited for an event",
    "processes": "12 processes, started at {}, were never waited for by the program: they had ended ",
    "forks": "12 processes, started at {}, were never waited for by the program: they had ended ",
}


def leaked(way: str, tmp_path: Path) -> list[Finding]:
    if "greenlets" in way and importlib.util.find_spec("gevent") is None:
        pytest.skip("not for an installation without gevent")
    traced = trace("leaks", way, tmp_path=tmp_path)
    assert traced.status == 0, traced.stderr
    return Leaked().find(Trace(traced.directory), [], [])


def made_in(way: str) -> int:
    """The line of a function that says what is made there."""
    start = SOURCE[: SOURCE.index(f"def {way}()")].count("\n")
    lines = SOURCE.splitlines()
    return next(n for n in range(start, len(lines)) if lines[n].endswith(" here")) + 1


@native
@pytest.mark.parametrize("way", LEAKS)
def test_what_nobody_ends_is_told_with_the_line_that_made_it(way: str, tmp_path: Path) -> None:
    (one,) = leaked(way, tmp_path)

    place = f"{PROGRAMS / 'leaks.py'}:{made_in(way)}"
    told = re.sub(r"(?:\.\./)*\S*leaks\.py:(\d+)", r"leaks.py:\1", one.sentence)
    assert told.startswith(LEAKS[way].format(f"leaks.py:{made_in(way)}"))
    assert one.where[0] == place
    assert len(one.units) == (1 if way.startswith("task_") else int(one.sentence.split()[0]))
    assert one.severity == "warning"


@native
@pytest.mark.parametrize("way", [way for way in WAYS if way.startswith("no_")])
def test_what_is_ended_or_has_its_use_is_no_leak(way: str, tmp_path: Path) -> None:
    assert leaked(way, tmp_path) == []


def test_every_program_is_tested() -> None:
    assert {way for way in WAYS if not way.startswith("no_")} == LEAKS.keys()


# --- the thresholds


def things(
    count: int = COUNT, *, every_ms: int = 40, until_ms: int = 1000, busy: float = 0.1, start_ms: int = 0
) -> list[Thing]:
    """Made one after the other; each is busy for a share of its life, and then idle."""
    made = []
    for number in range(count):
        start, end = (start_ms + number * every_ms) * MS, until_ms * MS
        made.append(Thing(start, end, start + int(busy * (end - start)), Kind.EVENT, None, [number]))
    return made


def test_as_many_as_make_a_pile_are_one_and_one_less_are_none() -> None:
    assert len(piled(things(COUNT), 0, 1000 * MS, COUNT)) == COUNT
    assert piled(things(COUNT - 1), 0, 1000 * MS, COUNT) == []


def test_what_is_made_at_once_is_no_pile() -> None:
    assert piled(things(every_ms=1), 0, 1000 * MS, COUNT) == []
    assert piled(things(every_ms=10, until_ms=200), 0, 200 * MS, COUNT) == []  # in 190 ms
    assert piled(things(every_ms=11, until_ms=220), 0, 220 * MS, COUNT) != []
    assert piled(things(every_ms=11, until_ms=220), -3 * S, 220 * MS, COUNT) == []  # a moment of its life


def test_what_came_as_the_program_began_is_no_pile() -> None:
    assert piled(things(every_ms=24), 0, 1000 * MS, COUNT) == []
    assert piled(things(every_ms=30), 0, 1000 * MS, COUNT) != []


def test_what_has_work_is_no_pile() -> None:
    assert piled(things(busy=0.6), 0, 1000 * MS, COUNT) == []


@pytest.mark.parametrize(("others", "piles"), [(2, True), (3, False)])
def test_a_line_of_which_some_end_or_work_makes_no_pile(others: int, piles: bool) -> None:
    ended = [Thing(0, 30 * MS, 10 * MS, Kind.EVENT, None, [99])]
    working = [Thing(0, 1000 * MS, None, None, None, [100 + n]) for n in range(others - 1)]
    assert bool(piled([*things(), *ended, *working], 0, 1000 * MS, COUNT)) is piles


def test_what_ends_before_the_last_one_comes_is_no_pile() -> None:
    ends = things()
    for one in ends:
        one.end_ns = one.start_ns + 100 * MS
    assert piled(ends, 0, 1000 * MS, COUNT) == []


@pytest.mark.parametrize(
    ("makers", "gone", "piles"),
    [
        pytest.param(1, False, True, id="one that has made all"),
        pytest.param(COUNT, False, False, id="each its own, which is there"),
        pytest.param(COUNT, True, True, id="each its own, which has ended"),
    ],
)
def test_what_somebody_may_look_after_is_no_pile(makers: int, gone: bool, piles: bool) -> None:
    made = things()
    for number, one in enumerate(made):
        one.maker = 1000 + number % makers
        one.maker_end_ns = one.start_ns + MS if gone and number < COUNT - 1 else one.end_ns
    if gone:
        made += things(1, start_ms=5)
    assert bool(piled(made, 0, 1000 * MS, COUNT)) is piles


# --- processes


@pytest.mark.parametrize(
    ("count", "reaped", "dead_ms", "flags", "found"),
    [
        pytest.param(10, 0, 1000, 0, True, id="ten"),
        pytest.param(9, 0, 1000, 0, False, id="nine"),
        pytest.param(10, 1, 1000, 0, False, id="one of them reaped"),
        pytest.param(10, 0, 999, 0, False, id="for less than a second"),
        pytest.param(10, 0, 1000, 4096, False, id="SIGCHLD ignored"),
    ],
)
def test_processes_are_leaked_that_have_ended_and_were_not_waited_for(
    count: int, reaped: int, dead_ms: int, flags: int, found: bool, tmp_path: Path
) -> None:
    end = T0 + 3000 * MS
    fake = FakeTrace(tmp_path / "trace-1", end_ns=end)
    parent = fake.process(end_ns=end)
    parent.flags |= flags
    made = parent.stack(
        ("/usr/lib/python3.11/subprocess.py", 9, "Popen._execute_child"), ("/home/me/app/run.py", 7, "go")
    )
    main = parent.thread().then(Kind.PYTHON, 100 * MS)
    for number in range(count):
        main.rows.append((main.at_ns, Kind.CHILD, 200 + number, made, 2, 0))
    main.then(Kind.SLEEP, 2900 * MS)
    for number in range(reaped):
        main.reaped(200 + number)
    main.ends()
    for number in range(count):
        child = fake.process(
            pid=200 + number, ppid=100, parent_start_ns=T0, start_ns=T0 + 100 * MS, end_ns=end - dead_ms * MS
        )
        child.thread(at_ns=T0 + 100 * MS).then(Kind.PYTHON, 10 * MS)

    ones = Leaked().find(Trace(fake.write()), [], [])

    assert bool(ones) is found
    if ones:
        assert ones[0].sentence == (
            "10 processes, started at run.py:7, were never waited for by the program: they had ended 1.00 s before it "
            "did, on average"
        )
