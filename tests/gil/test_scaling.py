"""The script runs in every interpreter that there is, and tells what it measured."""

import ast
import shutil
import sys
from pathlib import Path

import pytest

import headway.gil
from headway.gil.measurement import measure

SCRIPT = Path(headway.gil.__file__).with_name("scaling.py")
PYTHONS = [
    shutil.which(str(path)) for path in sorted((Path.home() / ".pyenv" / "versions").glob("*/bin/python"))
]


def test_the_script_is_written_in_what_old_pythons_understand() -> None:
    text = SCRIPT.read_text(encoding="ascii")
    tree = ast.parse(text, feature_version=(3, 3))
    assert not [
        node for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.AnnAssign, ast.Nonlocal))
    ]


@pytest.mark.parametrize("name", ["jython", "pypy3", *filter(None, PYTHONS)])
def test_the_script_measures_another_interpreter(name: str) -> None:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    found = measure(Path(path), [1, 2], seconds=0.02, rounds=1)
    assert found.python.workers == found.native.workers == (1, 2)
    assert found.python.speedup[0] == 1.0
    assert found.python.best > 0
    implementation = {"jython": "Jython", "pypy3": "PyPy"}.get(name, "CPython")
    assert found.facts["implementation"] == implementation
    assert found.facts["gil"] is (implementation != "Jython")
    assert (found.processes is None) is (implementation == "Jython")


def test_the_script_measures_the_interpreter_that_runs_this() -> None:
    found = measure(Path(sys.executable), [1, 2, 3], seconds=0.02, rounds=2)
    assert (
        found.facts["python"] == ".".join(map(str, sys.version_info[:3])).removesuffix(".0")
        or found.facts["python"]
    )
    assert found.facts["switch_interval_s"] == pytest.approx(sys.getswitchinterval())
    assert found.processes is not None
    assert found.processes.workers == (1, 2, 3)
    assert all(used is not None and used > 0 for used in found.python.cores_used)
