"""What `import headway` promises: it is quick, works everywhere, and its errors travel."""

import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import headway
from headway import _native, errors

ERRORS = [
    cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, headway.HeadwayError)
]
PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )


def test_import_loads_nothing_heavy() -> None:
    assert not loaded_after("import headway") & {
        "click",
        "numpy",
        "rich",
        "asyncio",
        "multiprocessing",
        "inspect",
    }


def test_the_launcher_loads_no_report_and_no_numpy_while_the_program_runs() -> None:
    loaded = loaded_after("import headway.cli.trace, headway.trace.launch")
    assert not loaded & {"numpy", "rich", "headway.trace.report"}


@pytest.mark.parametrize("cls", ERRORS)
def test_an_error_survives_pickle_with_its_hint(cls: type[headway.HeadwayError]) -> None:
    error = pickle.loads(pickle.dumps(cls("no trace in x", hint="headway trace prog.py")))
    assert type(error) is cls
    assert (error.message, error.hint) == ("no trace in x", "headway trace prog.py")
    assert str(error) == "no trace in x\nhint: headway trace prog.py"


@pytest.mark.parametrize("cls", ERRORS)
def test_an_error_without_a_hint_is_its_message(cls: type[headway.HeadwayError]) -> None:
    assert str(cls("no trace in x")) == "no trace in x"


def test_all_public_names_exist_and_are_all_the_errors() -> None:
    assert all(hasattr(headway, name) for name in headway.__all__)
    assert {cls.__name__ for cls in ERRORS} <= set(headway.__all__)


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_native, "NAME", "libnothing.so")
    with pytest.raises(headway.CannotObserve, match="not in this installation") as caught:
        _native.library()
    assert caught.value.hint is not None
    assert "gcc" in caught.value.hint


def test_off_linux_the_error_names_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(headway.CannotObserve, match="darwin"):
        _native.library()


def test_the_extra_and_the_dependency_group_for_tests_are_the_same() -> None:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    assert project["project"]["optional-dependencies"]["test"] == project["dependency-groups"]["test"]
