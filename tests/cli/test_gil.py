"""`headway gil` as people use it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Headway = Callable[..., "CompletedProcess[str]"]


def test_it_measures_an_interpreter_and_says_what_it_found(headway: Headway) -> None:
    done = headway("gil", "--python", sys.executable, "--workers", "2", "--seconds", "0.02", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    text = done.stdout
    version = ".".join(map(str, sys.version_info[:3]))
    assert version in text.splitlines()[0] or version in " ".join(text.splitlines()[:3])
    assert "Python code on threads" in text
    assert "GIL-free code on threads" in text
    assert "Python code in processes" in text


def test_the_json_document_holds_all_numbers(headway: Headway) -> None:
    done = headway(
        "gil", "--python", sys.executable, "--workers", "3", "--seconds", "0.02", "--rounds", "1", "--json"
    )
    document = json.loads(done.stdout)
    (only,) = document["interpreters"]
    assert document["headway"] == 1
    assert document["not_measured"] == []
    assert [row["workers"] for row in only["python_threads"]] == [1, 2, 3]
    assert only["threads_run"] in ("at once", "one at a time", "in part", "unknown")
    assert only["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["--python", "no-such-python"], 2, "--python no-such-python: no such program"),
        (["--python", "/"], 2, "--python /: is a directory"),
        (["--python", "true"], 3, "true is no Python that can be measured: it printed nothing"),
        (["--workers", "1"], 2, "1 is not in the range"),
        (["--seconds", "0"], 2, "0.0 is not in the range"),
        (["prog.py"], 2, "unexpected extra argument"),
    ],
)
def test_wrong_usage_is_one_clear_error(headway: Headway, args: list[str], status: int, said: str) -> None:
    done = headway("gil", *args)
    assert done.returncode == status
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_what_cannot_be_measured_is_told_and_the_rest_goes_on(headway: Headway, tmp_path: Path) -> None:
    broken = tmp_path / "bin" / "python3.99"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho broken >&2; exit 1\n")
    broken.chmod(0o755)
    env = {"PATH": f"{broken.parent}:/nowhere", "PYENV_ROOT": "/nowhere", "UV_PYTHON_INSTALL_DIR": "/nowhere"}
    done = headway("gil", "--workers", "2", "--seconds", "0.02", "--rounds", "1", env=env)
    assert done.returncode == 0, done.stderr
    assert f"{broken} is no Python that can be measured: broken" in done.stdout
