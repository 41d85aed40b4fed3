"""Rewritten code does exactly what the code of the user does."""

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest

from headway.check.hook import hook
from headway.check.rewriting import rewritten

PATH = Path(__file__).parent / "syntax.py"
NAMES = re.findall(r"^    (\w+),$", PATH.read_text(encoding="utf-8").split("PROGRAMS:")[1], re.MULTILINE)

NEWER = {
    "type_parameters": (
        (3, 12),
        """
def scenario(log):
    class Box[T]:
        item: T
        def __init__(self, item: T) -> None:
            self.item = item
        def get[U](self, other: U) -> tuple[T, U]:
            self.item += 1
            return self.item, other
    type Alias[V] = list[V]
    def outer[T](x: T, default=lambda: log) -> T:
        def inner() -> T:
            nonlocal x
            x += 1
            return x
        inner()
        return x
    return Box(3).get("a"), Alias.__value__.__origin__, outer(1), Box[int].__origin__.__name__, Box.get.__type_params__
""",
    ),
    "nested_f_strings": (
        (3, 12),
        """
class P: pass
def scenario(log):
    p = P(); p.x = 3; p.d = {"k": [1, 2]}
    return f"{p.d["k"]} {p.x!r:>{p.x + len(p.d["k"])}} {f"{p.x=}"} {[f"{i}" for i in p.d["k"]]}"
""",
    ),
    "template_strings": (
        (3, 14),
        """
class P: pass
def scenario(log):
    p = P(); p.x = 3; p.d = {"k": [1, 2]}
    made = t"a {p.x} {p.d['k']!r:>{p.x}} b"
    return made.strings, made.values, [(i.expression, i.conversion, i.format_spec) for i in made.interpolations]
""",
    ),
    "finally_that_returns_nothing": (
        (3, 11),
        """
class P: pass
def scenario(log):
    p = P(); p.x = 0
    def inner():
        for p.i in range(3):
            try:
                if p.i == 1: continue
                if p.i == 2: return p.x
                p.x += 1
            finally:
                p.x += 10
                log.append((lambda: p.x)())
    return inner(), p.x
""",
    ),
}


@pytest.fixture
def quiet() -> Iterator[Callable[..., None]]:
    """A visit that does nothing, and that is not rewritten itself."""
    space: dict[str, Any] = {}
    exec("def visit(*_): pass", space)
    yield space["visit"]
    hook.visit = None


def fresh(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("syntax_programs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["syntax_programs"] = module
    spec.loader.exec_module(module)
    return module


def frames(error: BaseException, file: str) -> list[object]:
    """All frames of a traceback from the first one of the program's: name, line and columns."""
    found: list[object] = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if found or code.co_filename == file:
            positions = list(code.co_positions())[step.tb_lasti // 2]
            found.append((code.co_name, step.tb_lineno, positions))
        step = step.tb_next
    return found


def outcome(program: Callable[[list[Any]], Any], file: str) -> str:
    """What a program returns or raises, and what it has logged."""
    log: list[Any] = []
    result: Any
    try:
        result = program(log)
    except Exception as error:
        result = type(error).__name__, str(error), frames(error, file)
    return re.sub(r" at 0x[0-9a-f]+", "", f"{result!r}\n{log!r}")


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize("granularity", ["access", "line"])
@pytest.mark.parametrize("visited", [True, False], ids=["visited", "not visited"])
@pytest.mark.parametrize("name", NAMES)
def test_a_rewritten_program_does_the_same(
    name: str, visited: bool, granularity: Literal["access", "line"], quiet: Callable[..., None]
) -> None:
    expected = outcome(getattr(fresh(PATH), name), str(PATH))
    program = getattr(fresh(PATH), name)
    with rewritten(program, granularity=granularity) as found:
        hook.visit = quiet if visited else None
        result = outcome(program, str(PATH))
        hook.visit = None
    assert result == expected
    assert found.files == [str(PATH)]
    assert not found.unreachable


@pytest.mark.parametrize("granularity", ["access", "line"])
@pytest.mark.parametrize("name", NEWER)
def test_newer_syntax_does_the_same(
    name: str, granularity: Literal["access", "line"], tmp_path: Path, quiet: Callable[..., None]
) -> None:
    version, text = NEWER[name]
    if sys.version_info < version:
        pytest.skip(f"not for Python before {'.'.join(map(str, version))}")
    path = tmp_path / "newer.py"
    path.write_text(text, encoding="utf-8")
    expected = outcome(fresh(path).scenario, str(path))
    program = fresh(path).scenario
    with rewritten(program, granularity=granularity) as found:
        hook.visit = quiet
        result = outcome(program, str(path))
        hook.visit = None
    assert result == expected
    assert not found.unreachable
    assert "Error" not in result
