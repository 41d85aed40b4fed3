"""Which interpreters are found."""

import sys
from pathlib import Path

import pytest

from headway.gil.interpreters import installed


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing but what a test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_each_is_found_once_whatever_its_names(machine: Path) -> None:
    real = make(machine / "bin" / "python3.99")
    (machine / "bin" / "python3").symlink_to(real)
    (machine / "venv").mkdir()
    (machine / "bin" / "python").symlink_to(real)
    found = installed()
    assert found[0] == Path(sys.executable)
    assert [path.resolve() for path in found[1:]] == [real]


def test_all_kinds_are_found_where_they_usually_are(machine: Path) -> None:
    wanted = [
        make(machine / "bin" / name)
        for name in ("graalpy", "ipy", "jython", "jython2.7", "pypy", "pypy3.11", "python2", "python3.14t")
    ]
    wanted += [
        make(machine / "pyenv" / "versions" / name / "bin" / "python")
        for name in ("2.7.18", "3.9.1", "3.10.2")
    ]
    wanted += [make(machine / "uv" / "cpython-3.15.0" / "bin" / "python3")]
    make(machine / "bin" / "python3-config")
    make(machine / "bin" / "pythonw3.exe.py")
    (machine / "bin" / "python3.7").symlink_to(machine / "gone")
    (machine / "bin" / "python3.8").write_text("not executable")
    assert installed()[1:] == wanted


def test_folders_that_are_not_there_or_cannot_be_read_do_no_harm(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{machine}/gone:{machine / 'file'}::")
    (machine / "file").write_text("")
    monkeypatch.chdir(machine)
    assert installed() == [Path(sys.executable)]
