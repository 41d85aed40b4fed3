"""Wrong usage: one clear error each, a hint where there is one, exit status 2, and nothing was run."""

import sys
from pathlib import Path

import pytest

from headway import _native, cli
from headway.cli.trace import split_program

VALUES = {"-o", "--output", "--json", "--buffer", "--stack-threshold", "--on-deadlock"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # Usage errors must come without the library, too: they are found before it is looked for.
    monkeypatch.setattr(_native, "library", lambda: tmp_path / "none.so")
    (tmp_path / "prog.py").write_text("raise SystemExit('it ran')\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "trace.json").write_text("{}")
    (tmp_path / "data.txt").write_text("no program\n")
    return tmp_path


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["nothing"],
            "no such verb: nothing\nhint: one of trace, report, view, map, check, gil; see headway --help",
        ),
        (["prog.py"], "no such verb: prog.py\nhint: headway trace prog.py"),
        (
            ["trace"],
            "a program is missing\nhint: headway trace prog.py, or -m module, or -- command; see --help",
        ),
        (["trace", "-m"], "a module after -m is missing"),
        (["trace", "--"], "a command after -- is missing"),
        (
            ["trace", "-c", "print(1)"],
            "-c is an option of Python, not of headway\nhint: headway trace -- python -c ...",
        ),
        (["report", "data.txt"], "data.txt is a file, and a trace is a directory\nhint: record one"),
        (
            ["report", "old/trace.json"],
            "old/trace.json is a file, and a trace is a directory\nhint: headway report old",
        ),
        (["report", "none"], "none: no such directory\nhint: record one"),
        (["trace", "--nothing", "prog.py"], "No such option"),
        (["trace", "--buffer", "0", "prog.py"], "Invalid value for '--buffer'"),
        (["trace", "--buffer", "many", "prog.py"], "Invalid value for '--buffer'"),
        (["trace", "-o"], "requires an argument"),
        (["trace", "none.py"], "no such script: none.py\nhint: looked in "),
        (["trace", "ls"], "no such script: ls\nhint: it is a command; to trace it: headway trace -- ls"),
        (["trace", "folder"], "folder is a directory without a __main__.py"),
        (["trace", "-m", "no_such_module_at_all"], "no module named no_such_module_at_all"),
        (["trace", "--", "no-such-command"], "no such command: no-such-command"),
        (["trace", "--", "./folder"], "./folder is a directory, not a command"),
        (["trace", "--", "./data.txt"], "./data.txt is not executable\nhint: chmod +x ./data.txt"),
        (["trace", "--json", "-", "prog.py"], "--json cannot write to stdout: it belongs to the program"),
        (["trace", "--json", "folder", "prog.py"], "--json folder: is a directory"),
        (["trace", "--json", "none/x.json", "prog.py"], "--json none/x.json: cannot write there"),
        (["trace", "-o", "full", "prog.py"], "full: the directory is not empty"),
        (["trace", "-o", "old", "prog.py"], "old: there is a trace already\nhint: choose another directory"),
        (["trace", "-o", "data.txt", "prog.py"], "data.txt: is a file, not a directory"),
    ],
)
def test_wrong_usage_is_one_clear_error(
    args: list[str], message: str, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(args) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 2
    assert not (here / ".headway").exists()


def test_a_file_that_the_system_cannot_run_leaves_no_trace(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "data.txt").chmod(0o755)
    assert cli.main(["trace", "-o", "new", "--", "./data.txt"]) == 2
    assert capfd.readouterr().err == "error: cannot run ./data.txt: Exec format error\n"
    assert not (here / "new").exists()


def test_a_place_where_no_directory_can_be_made_is_an_error_of_its_own(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["trace", "-o", "/proc/headway", "prog.py"]) == 3
    assert capfd.readouterr().err.startswith("error: -o /proc/headway: cannot make it: ")


def test_an_installation_without_the_library_cannot_observe(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(_native, "NAME", "libnothing.so")
    assert cli.main(["trace", "--", sys.executable, "-c", "pass"]) == 3
    assert "error: libnothing.so is not in this installation of headway\nhint: " in capfd.readouterr().err


@pytest.mark.parametrize(
    ("typed", "divided"),
    [
        ("prog.py -x --help", ("", "script", "prog.py -x --help")),
        ("-o d prog.py -o e", ("-o d", "script", "prog.py -o e")),
        ("-od prog.py", ("-od", "script", "prog.py")),
        ("--json=f --buffer 3 prog.py -- -m", ("--json=f --buffer 3", "script", "prog.py -- -m")),
        ("-m pkg -o d", ("", "module", "pkg -o d")),
        ("-mpkg -o d", ("", "module", "pkg -o d")),
        ("-o -- -m pkg", ("-o --", "module", "pkg")),
        ("-- -m x", ("", "command", "-m x")),
        ("-o d -- ls -- x", ("-o d", "command", "ls -- x")),
        ("- a", ("", "script", "- a")),
        ("-o d -c x", ("-o d", "code", "-c x")),
        ("-o -c prog.py -c x", ("-o -c", "script", "prog.py -c x")),
        ("--help", ("--help", "", "")),
    ],
)
def test_all_from_the_programs_name_on_belongs_to_the_program(
    typed: str, divided: tuple[str, str, str]
) -> None:
    own, kind, program = split_program(typed.split(), VALUES)
    assert (" ".join(own), kind, " ".join(program)) == divided


def test_every_option_with_a_value_is_known_to_have_one() -> None:
    import click

    from headway.cli.trace import trace

    options = [option for option in trace.params if isinstance(option, click.Option)]
    named = {name for option in options if not option.is_flag for name in option.opts}
    assert named == {*VALUES, "-m"}
