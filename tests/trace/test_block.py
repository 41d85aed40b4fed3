"""`headway.record`: a block is judged by what it leaves behind, and by nothing else."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import headway
from headway.trace import format as fmt
from headway.trace.block import left
from headway.trace.findings import loop_blocked
from headway.trace.format import InnerFlag, InnerKind, Kind
from tracing import PROGRAMS, PYMUTEX, run, trace

native = pytest.mark.native
SOURCE = (PROGRAMS / "blocks.py").read_text(encoding="utf-8")
WAYS = [
    way
    for way in re.findall(r"^(?:async )?def (\w+)\(\) -> None:", SOURCE, re.MULTILINE)
    if way != "bystander"
]
WITH_GREENLETS = [way for way in WAYS if "greenlet" in way]
MADE = "{} had not ended when the block did"
FOUND = {
    "thread_at_an_event": ("leaked", "thread `waiter`, made at {}, had not ended when the block did"),
    "three_threads": ("leaked", "3 threads made at {} had not ended when the block did"),
    "thread_of_a_thread": ("leaked", "thread `inner`, made at {}, had not ended when the block did"),
    "executor_that_is_not_shut_down": (
        "leaked",
        "executor `ours`, used at {}, was not shut down in the block: its thread has not ended",
    ),
    "blocked_loop": ("loop-blocked", "task `Task-"),
    "task_that_waits": ("leaked", "task `forgotten`, made at {}, had not ended when the block did"),
    "task_that_is_lost": ("leaked", "task `lost`, made at {}, was thrown away while it waited"),
    "greenlet_at_an_event": ("leaked", "greenlet `greenlet_at_an_event.<locals>.waits`, made at {}, had not"),
    "process_that_runs": ("leaked", "process "),
    "deadlock": ("deadlock", "2 threads of process "),
}


def made_in(way: str) -> int:
    """The line of a function that says what is made there."""
    start = SOURCE[: SOURCE.index(f"def {way}()")].count("\n")
    lines = SOURCE.splitlines()
    return next(n for n in range(start, len(lines)) if lines[n].endswith(" here")) + 1


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What was found in each: one program records them all, one after the other."""
    tmp_path = tmp_path_factory.mktemp("blocks")
    library = tmp_path / "site-packages" / "helpful"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text(
        "import threading\n"
        "def start():\n"
        "    threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    environment = os.environ | {"LIBRARIES": str(library.parent)}
    gevent = importlib.util.find_spec("gevent") is not None
    ways = [way for way in WAYS if gevent or way not in WITH_GREENLETS]
    traced = trace("blocks", *ways, tmp_path=tmp_path, env=environment)
    assert traced.status == 0, traced.stderr
    found: dict[str, list[dict[str, Any]]] = traced.said
    return found


def found_in(way: str, blocks: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    if way in WITH_GREENLETS and way not in blocks:
        pytest.skip("not for an installation without gevent")
    return blocks[way]


@native
@pytest.mark.parametrize("way", FOUND)
def test_what_a_block_leaves_or_blocks_is_told_with_its_line(
    way: str, blocks: dict[str, list[dict[str, Any]]]
) -> None:
    if way == "deadlock" and PYMUTEX:
        pytest.skip("not for Python 3.14 and later: the owner of a lock is not known there")
    (one,) = found_in(way, blocks)
    kind, sentence = FOUND[way]

    assert one["kind"] == kind
    told = re.sub(r"(?:\.\./)*\S*blocks\.py:(\d+)", r"blocks.py:\1", one["sentence"])
    assert told.startswith(sentence.format(f"blocks.py:{made_in(way)}"))
    assert f"{PROGRAMS / 'blocks.py'}:{made_in(way)}" in one["where"]


@native
@pytest.mark.parametrize("way", [way for way in WAYS if way.startswith("no_")])
def test_a_block_that_leaves_nothing_of_its_own_has_no_finding(
    way: str, blocks: dict[str, list[dict[str, Any]]]
) -> None:
    assert found_in(way, blocks) == []


def test_every_block_is_tested() -> None:
    assert {way for way in WAYS if not way.startswith("no_")} == FOUND.keys()


ASSERTS = """
import threading
import headway

never = threading.Event()
try:
    headway.assert_no_findings()
except headway.UsageError as error:
    print("usage", error.message)
with headway.record() as recording:
    headway.assert_no_findings()
    threading.Thread(target=never.wait, name="so far", daemon=True).start()
    headway.assert_no_findings()  # it may end yet
print([one.kind.value for one in recording.findings])
try:
    headway.assert_no_findings()
except headway.FindingsFound as error:
    print("after", error.message.splitlines()[0])
with headway.record():
    pass
headway.assert_no_findings()
try:
    recording.__enter__()
except headway.UsageError as error:
    print("again", error.message)
"""


@native
def test_what_is_asserted_is_the_block_that_this_is_in_or_that_ended_last(tmp_path: Path) -> None:
    traced = trace(ASSERTS, tmp_path=tmp_path)

    assert traced.stdout.splitlines() == [
        "usage no block was recorded in this process, so there is nothing to assert",
        "['leaked']",
        "after leaked: thread `so far`, made at prog.py:12, had not ended when the block did",
        "again a recording is of one block",
    ]


FORKS = """
import os, threading
import headway

with headway.record() as recording:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    child = os.fork()
if child == 0:
    os._exit(len(recording.findings))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(recording.findings))
"""


@native
def test_the_child_of_a_fork_judges_nothing(tmp_path: Path) -> None:
    """The thread is not there, and the process that had not ended is the child itself: it ends in time."""
    assert trace(FORKS, tmp_path=tmp_path, options=["-W", "ignore"]).stdout == "0 1\n"


def test_a_program_that_is_not_traced_is_told_which_line_to_run(tmp_path: Path) -> None:
    program = tmp_path / "prog.py"
    program.write_text("import headway\nheadway.record()\n")
    environment = {name: value for name, value in os.environ.items() if "HEADWAY" not in name}
    environment.pop("PYTEST_CURRENT_TEST", None)
    ended = run([sys.executable, "prog.py", "a b"], cwd=tmp_path, env=environment)

    assert ended.returncode == 1
    assert "CannotObserve: this process is not traced" in ended.stderr
    assert "hint: run it as: headway trace prog.py 'a b'" in ended.stderr


def test_the_error_survives_pickle_with_all_that_it_says() -> None:
    import pickle

    error = headway.FindingsFound("leaked: a thread")
    error.kinds, error.where = ("leaked",), ("app.py:3",)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.kinds, again.where) == (str(error), error.kinds, error.where)


def test_the_first_look_reads_the_format_as_the_reader_does() -> None:
    fields = fmt.INNER.fields
    assert fields is not None
    at = 0
    for name in left.Inner._fields:
        name = "count" if name == "counted" else name  # tuples have a method of that name
        assert fields[name][1] == at, name
        at += fields[name][0].itemsize
    assert at == left.UNIT.size
    header = fmt.HEADER.fields
    assert header is not None
    assert header["units"][1] == left.UNITS_AT
    assert (left.TASK, left.GREENLET) == (InnerKind.TASK, InnerKind.GREENLET)
    assert InnerFlag.MANY | InnerFlag.HUB | InnerFlag.MAIN == left.NOT_ITS_OWN
    assert left.DESTROYED == InnerFlag.DESTROYED
    assert (left.LOCK, left.OTHER) == (Kind.LOCK, Kind.OTHER)
    assert left.LONG_NS == loop_blocked.LONG_NS
