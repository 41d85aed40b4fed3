"""The corpus that explore is judged by: its shape, and what plain runs can say of its labels."""

import ast
import asyncio
import inspect
import sys
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from corpus import Program, imported, programs
from hubs import with_a_hub

EVERY = programs(here=False)
STANDARD = {"threads": {"threading"}, "asyncio": {"asyncio"}, "greenlets": {"gevent"}}


def name(program: Program) -> str:
    return f"{program.arm}-{program.name}"


def run(program: Program) -> None:
    scenario = program.load()
    result = with_a_hub(scenario) if program.arm == "greenlets" else scenario()
    if inspect.iscoroutine(result):
        asyncio.run(result)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """Switches threads as often as Python can; the exceptions that ended threads, which are no test's failure."""
    ended: list[BaseException] = []

    def note(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            ended.append(args.exc_value)

    monkeypatch.setattr(threading, "excepthook", note)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield ended
    sys.setswitchinterval(interval)


def test_no_two_programs_have_the_same_name() -> None:
    assert [each for each, times in Counter(program.name for program in EVERY).items() if times > 1] == []


def test_there_are_as_many_as_were_promised() -> None:
    buggy = Counter(program.arm for program in EVERY if program.kind != "ok")
    correct = Counter(program.arm for program in EVERY if program.kind == "ok")
    assert sum(buggy.values()) >= 66
    assert sum(correct.values()) >= 26
    assert buggy["asyncio"] >= 14
    assert correct["asyncio"] >= 6
    assert buggy["greenlets"] >= 4
    assert correct["greenlets"] >= 2


def test_every_kind_and_every_level_has_its_programs() -> None:
    assert {program.kind for program in EVERY} == {"ok", "failure", "deadlock", "livelock", "lost-wakeup"}
    assert {program.level for program in EVERY if program.kind != "ok"} == {
        "sync",
        "access",
        "line",
        "opcode",
    }


@pytest.mark.parametrize("program", EVERY, ids=name)
def test_a_program_says_what_can_go_wrong_and_where_it_is_from(program: Program) -> None:
    tree = ast.parse(program.path.read_text())
    said = ast.get_docstring(tree)
    assert said is not None
    assert len(said.splitlines()) >= 3, "a first line, and then how it goes wrong or why it cannot"
    assert program.source
    assert len(program.path.read_text().splitlines()) <= 100
    assert any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "scenario"
        for node in tree.body
    )


@pytest.mark.parametrize("program", EVERY, ids=name)
def test_a_program_knows_nothing_of_headway_and_uses_what_it_is_about(program: Program) -> None:
    names = imported(program)
    assert names & (STANDARD[program.arm] | {"concurrent"})
    assert names <= set(sys.stdlib_module_names) | {"gevent"}
    assert not names & {"random", "socket", "subprocess", "multiprocessing", "os"}


@pytest.mark.parametrize("program", programs(), ids=name)
def test_a_program_can_be_loaded_and_starts_nothing_by_that(program: Program) -> None:
    threads = threading.active_count()
    assert callable(program.load())
    assert inspect.iscoroutinefunction(program.load()) <= (program.arm == "asyncio")
    assert threading.active_count() == threads


@pytest.mark.parametrize("program", programs(kind="ok"), ids=name)
def test_a_correct_program_passes_two_hundred_times(program: Program, hurried: list[BaseException]) -> None:
    for _ in range(200):
        run(program)
    assert hurried == []


@pytest.mark.parametrize("program", programs(kind="failure"), ids=name)
def test_a_failing_program_passes_or_fails_and_does_not_hang(
    program: Program, hurried: list[BaseException]
) -> None:
    for _ in range(10):
        before = len(hurried)
        try:
            run(program)
        except (NameError, ImportError, SyntaxError):
            raise  # the program's text is wrong, not its schedule
        except Exception:
            continue
        else:
            assert len(hurried) == before, "a thread's exception must show in the scenario, too"


@pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="not for Python 3.13 and later, which have all of them"
)
def test_a_program_for_a_later_python_is_left_out() -> None:
    later = [program for program in EVERY if program.min_python > sys.version_info[:2]]
    assert later
    assert not set(later) & set(programs())
    assert all(program.missing and program.missing.startswith("not for") for program in later)
