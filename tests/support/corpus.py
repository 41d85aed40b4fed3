"""The programs of known verdict in tests/programs/check, and how to load them.

What a program says of itself is read from its text, so that one whose library is not installed can still be counted.
"""

import ast
import importlib.util
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal, get_args

Arm = Literal["threads", "asyncio", "greenlets"]
Kind = Literal["ok", "failure", "deadlock", "livelock", "lost-wakeup"]
Level = Literal["sync", "access", "line", "opcode"]
Scenario = Callable[[], None] | Callable[[], Coroutine[object, object, None]]

ROOT = Path(__file__).resolve().parents[1] / "programs" / "check"

CONSTANTS = ("KIND", "LEVEL", "SOURCE")


@dataclass(frozen=True)
class Program:
    """One program: what it is, what is known of it, and where it comes from.

    Attributes:
        kind: What can go wrong with it; `ok` if nothing can.
        level: The coarsest granularity at which it can be seen to go wrong.
        source: Where its idea is from.
        min_python: The first Python that has what it uses.
    """

    name: str
    arm: Arm
    path: Path
    kind: Kind
    level: Level
    source: str
    min_python: tuple[int, ...]

    @property
    def missing(self) -> str | None:
        """Why it cannot run here; None if it can."""
        if sys.version_info[: len(self.min_python)] < self.min_python:
            return f"not for Python before {'.'.join(map(str, self.min_python))}"
        if self.arm == "greenlets" and importlib.util.find_spec("gevent") is None:
            return "gevent is not installed"
        return None

    def load(self) -> Scenario:
        """Its scenario, from a module of its own, which is loaded once in a process."""
        scenario: Scenario = self.module().scenario
        return scenario

    def module(self) -> ModuleType:
        """Its module, in `sys.modules` as `corpus_ARM_NAME`."""
        name = f"corpus_{self.arm}_{self.name}"
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, self.path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
        return sys.modules[name]


def programs(
    *, kind: Kind | None = None, arm: Arm | None = None, level: Level | None = None, here: bool = True
) -> list[Program]:
    """The programs of one kind, arm and level, in order of arm and name.

    Args:
        kind: None takes all kinds.
        arm: None takes all arms.
        level: None takes all levels.
        here: Only those that this Python and its libraries can run.
    """
    found = [_read(path, each) for each in get_args(Arm) for path in sorted((ROOT / each).glob("*.py"))]
    return [
        program
        for program in found
        if kind in {None, program.kind}
        and arm in {None, program.arm}
        and level in {None, program.level}
        and not (here and program.missing)
    ]


def imported(program: Program) -> set[str]:
    """The top-level names of the modules that a program imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(program.path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def _read(path: Path, arm: Arm) -> Program:
    said: dict[str, object] = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name):
            try:
                said[target.id] = ast.literal_eval(node.value)
            except ValueError:
                continue  # a variable of the program, and not a fact about it
    missing = [name for name in CONSTANTS if name not in said]
    if missing:
        raise ValueError(f"{path}: {', '.join(missing)} is missing")
    kind, level, source = (str(said[name]) for name in CONSTANTS)
    least = said.get("MIN_PYTHON", (3, 11))
    assert isinstance(least, tuple)
    if kind not in get_args(Kind) or level not in get_args(Level):
        raise ValueError(f"{path}: KIND is {kind!r} and LEVEL is {level!r}")
    return Program(path.stem, arm, path, kind, level, source, least)  # type: ignore[arg-type] # looked at above
