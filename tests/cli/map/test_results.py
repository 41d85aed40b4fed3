"""`headway map`, run as a command: what goes in, what comes out, and which calls fail."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ON, TOOLS, Mapped


@ON
def test_each_line_gives_a_result_in_its_order(mapped: Mapped, on: str) -> None:
    done = mapped("".join(f"line {n}\n" for n in range(2000)), "tools:shout", "--on", on)
    assert done.stdout == "".join(f"LINE {n}!\n" for n in range(2000))
    assert (done.returncode, done.stderr) == (0, "")


def test_without_order_all_results_come(mapped: Mapped) -> None:
    done = mapped("".join(f"{n}\n" for n in range(500)), "tools:half", "--unordered", "--on", "threads")
    assert sorted(map(float, done.stdout.split())) == [n / 2 for n in range(500)]


def test_no_line_gives_no_result(mapped: Mapped) -> None:
    assert mapped("", "tools:shout").stdout == ""


@ON
def test_a_line_is_all_up_to_its_newline_whatever_it_holds(mapped: Mapped, on: str) -> None:
    lines = "windows\r\n\n  spaces \n\udcff\udcfe not utf-8 é 漢\nno newline at the end"
    assert mapped(lines, "builtins:str", "--on", on).stdout == lines + "\n"


def test_lines_may_end_with_nul(mapped: Mapped) -> None:
    assert mapped("a\nb\0c\0\0d", "builtins:repr", "-0").stdout == "'a\\nb'\n'c'\n''\n'd'\n"


def test_a_line_longer_than_any_buffer_is_one_line(mapped: Mapped) -> None:
    assert mapped("x" * 1_000_000 + "\ny\n", "builtins:len").stdout == "1000000\n1\n"


def test_none_writes_nothing_and_bytes_are_written_as_they_are(mapped: Mapped) -> None:
    assert mapped("a\nb\n", "tools:nothing").stdout == ""
    assert mapped("a\udcff\n", "tools:raw").stdout == "\udcffa\n"


def test_a_coroutine_function_works(mapped: Mapped) -> None:
    done = mapped("A\nB\n", "tools:whisper")
    assert (done.stdout, done.stderr) == ("a\nb\n", "")
    assert mapped("A\n", "tools:whisper", "--on", "asyncio", "--timeout", "50").stdout == "a\n"


def test_json_lines_are_values_in_and_out(mapped: Mapped) -> None:
    done = mapped('[3, 1]\n\n {"b": "é"} \n"x"\n', "--json", "builtins:sorted")
    assert done.stdout == '[1, 3]\n["b"]\n["x"]\n'
    assert mapped("null\n", "--json", "tools:nothing").stdout == "null\n"


def test_json_that_is_written_is_utf8_whatever_was_read(mapped: Mapped) -> None:
    done = mapped('"\udcff \\ud800 é"\n"é"\n', "--json", "builtins:str")
    first, second = done.stdout.splitlines()
    assert json.loads(first) == "\udcff \ud800 é"
    assert first.isascii()
    assert second == '"é"'


def test_with_star_arrays_and_objects_are_arguments(mapped: Mapped) -> None:
    done = mapped('[1, 2]\n{"a": 5, "c": 1}\n[9]\n', "--json", "--star", "tools:add")
    assert (done.stdout, done.stderr) == ("3\n6\n9\n", "")


def test_what_is_no_json_fails_alone(mapped: Mapped) -> None:
    done = mapped('1\n{x\n"nan"\n"2"\n', "--json", "builtins:float")
    assert done.stdout == "1.0\n2.0\n"
    assert done.returncode == 1
    assert (
        "line 2, '{x': not JSON: Expecting property name enclosed in double quotes at column 2\n"
        in done.stderr
    )
    assert (
        "line 3, '\"nan\"': the result is no JSON: builtins:float returned float: Out of range" in done.stderr
    )


def test_files_are_read_one_after_the_other(mapped: Mapped, here: Path) -> None:
    (here / "a.txt").write_text("1\n2")
    (here / "b.txt").write_text("3\nx\n")
    done = mapped("7\n", "tools:half", "-a", "a.txt", "-a", "-", "-a", "b.txt")
    assert done.stdout == "0.5\n1.0\n3.5\n1.5\n"
    assert "    b.txt:2, 'x': invalid literal" in done.stderr


@ON
def test_failures_are_reported_by_type_and_the_others_go_on(mapped: Mapped, on: str) -> None:
    done = mapped("".join(f"{n}\n" for n in range(10)) + "x\n", "tools:odd", "--on", on)
    assert done.returncode == 1
    assert done.stdout == "0\n2\n4\n6\n8\n"
    number = TOOLS.splitlines().index('    if int(line) % 2: raise ValueError("odd")') + 1
    assert re.sub(rf" \(tools.py:{number}\)", "", done.stderr) == (
        "6 of 11 calls of tools:odd failed\n"
        "  ValueError (6)\n"
        "    line 2, '1': odd\n"
        "    line 4, '3': odd\n"
        "    line 6, '5': odd\n"
        "    ...\n"
    )


def test_a_failure_says_where_it_was_raised(mapped: Mapped) -> None:
    assert re.search(r"line 1, '1': odd \(tools.py:\d+\)\n", mapped("1\n", "tools:odd").stderr)


def test_a_long_input_is_shortened_in_the_report(mapped: Mapped) -> None:
    stderr = mapped("x" * 5000 + "\n", "tools:half").stderr
    assert f"line 1, '{'x' * 40}'...: " in stderr
    assert max(map(len, stderr.splitlines())) < 400


@pytest.mark.parametrize("on", ["threads", "processes"])
def test_failures_keep_their_lines_without_order_and_after_retries(mapped: Mapped, on: str) -> None:
    numbers = range(1, 41)
    args = ["--unordered", "--retries", "1", "--on", on]
    done = mapped("".join(f"{n}\n" for n in numbers), "tools:at_second", *args)
    assert sorted(map(int, done.stdout.split())) == [n for n in numbers if n % 10 != 7]
    assert "4 of 40 calls of tools:at_second failed\n  KeyError (4)\n" in done.stderr
    found = re.findall(r"line (\d+), '(\d+)': '(\d+)'", done.stderr)
    assert len(found) == 3
    assert all(line == text == message for line, text, message in found)


@ON
def test_halt_stops_at_the_first_failure_and_shows_its_traceback(mapped: Mapped, on: str) -> None:
    done = mapped("2\n4\n5\n6\n7\n", "tools:odd", "--halt", "--on", on)
    assert (done.returncode, done.stdout) == (1, "2\n4\n")
    assert "in odd\n" in done.stderr
    assert "ValueError: odd\n" in done.stderr
    assert done.stderr.endswith("ValueError: odd\nhalted at line 3, '5'\n1 of 3 calls of tools:odd failed\n")


def test_a_call_that_takes_too_long_is_stopped(mapped: Mapped) -> None:
    done = mapped("a\nhang\nb\n", "tools:hangs", "--timeout", "1")
    assert (done.returncode, done.stdout) == (1, "a\nb\n")
    assert "  TimedOut (1)\n    line 2, 'hang': " in done.stderr


def test_a_call_whose_worker_dies_fails_alone(mapped: Mapped) -> None:
    done = mapped("a\ndie\nb\n", "tools:dies", "--on", "processes")
    assert (done.returncode, done.stdout) == (1, "a\nb\n")
    assert re.search(
        r"  WorkerDied \(1\)\n"
        r"    line 2, 'die': process \d+ exited with code 7 while it ran tools:dies\('die'\)\n",
        done.stderr,
    )


@ON
def test_a_result_that_is_no_json_fails_with_the_name_of_its_function(mapped: Mapped, on: str) -> None:
    done = mapped('"ä"\n', "--json", "builtins:set", "--on", on)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(
        "    line 1, '\"ä\"': the result is no JSON: builtins:set returned set: "
        "Object of type set is not JSON serializable\n"
    )


@ON
@pytest.mark.parametrize("name", ["tools2.py", "my-tool.py", "a/queue.py", "a/b.py"])
def test_a_function_of_a_file_works_whatever_the_file_is_called(
    mapped: Mapped, here: Path, name: str, on: str
) -> None:
    (here / name).parent.mkdir(exist_ok=True)
    (here / name).write_text(
        "import beside\nclass Own(Exception): pass\n"
        "def f(line):\n    if line == 'x': raise Own('own')\n    return line + beside.MARK\n"
    )
    (here / name).parent.joinpath("beside.py").write_text("MARK = '?'\n")
    done = mapped("a\nx\n", f"{name}:f", "--on", on)
    assert done.stdout == "a?\n"
    assert ".Own (1)\n    line 2, 'x': own" in done.stderr


def test_a_function_may_be_in_a_class(mapped: Mapped) -> None:
    assert mapped("a\n", "tools:Tool.twice", "--on", "processes").stdout == "aa\n"


@ON
def test_what_the_function_prints_goes_to_stdout(mapped: Mapped, on: str) -> None:
    done = mapped("a\nb\n", "tools:prints", "--on", on)
    assert sorted(done.stdout.splitlines()) == ["printed a", "printed b", "result a", "result b"]


@ON
def test_the_functions_stdin_is_empty(mapped: Mapped, on: str) -> None:
    assert mapped("a\nb\n", "tools:reads", "--on", on).stdout == "''a\n''b\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["tools"], "tools: which function?\nhint: tools:FUNCTION"),
        (["tools:"], "tools:: which function?"),
        (["tols:shout"], "no module named tols\nhint: did you mean tools"),
        (["tools:shuot"], "tools has no function shuot\nhint: did you mean shout?"),
        (["tools.more:shout"], "no module named tools.more"),
        (["tols.py:shout"], "no such file: tols.py\nhint: did you mean tools.py"),
        (["tools.py:shuot"], "tools has no function shuot\nhint: did you mean shout?"),
        (["tools:text"], "tools:text is not a function: str cannot be called"),
        (
            ["tools:both"],
            "both(a, b) cannot be called with one line: missing a required argument: 'b'\nhint: --json",
        ),
        (["broken:f"], "broken cannot be imported: ZeroDivisionError: division by zero (broken.py:2)"),
        (["broken.py:f"], "broken cannot be imported: ZeroDivisionError: division by zero (broken.py:2)"),
        (
            ["needs:f"],
            "needs cannot be imported: ModuleNotFoundError: No module named 'no_such' (needs.py:1)",
        ),
        (["exits:f"], "exits cannot be imported: SystemExit: 3 (exits.py:1)"),
        (
            ["tools:shout", "--on", "thread"],
            "--on thread: there is no such backend\nhint: did you mean 'threads'?",
        ),
        (
            ["tools:whisper", "--on", "threads"],
            "whisper is a coroutine function, which --on threads cannot run",
        ),
        (
            ["tools:shout", "--timeout", "1", "--on", "threads"],
            "--timeout 1: a call on threads cannot be stopped\nhint: --on processes",
        ),
        (["tools:shout", "--timeout", "0"], "Invalid value for '--timeout'"),
        (["tools:shout", "-j", "0"], "Invalid value for '-j'"),
        (["tools:shout", "-a", "none.txt"], "no such file: none.txt"),
        (["tools:shout", "-a", "."], ". is a directory"),
        (["tools:add", "--star"], "--star without --json"),
    ],
)
def test_wrong_usage_is_one_clear_error(mapped: Mapped, here: Path, args: list[str], message: str) -> None:
    (here / "broken.py").write_text("\n1 / 0\n")
    (here / "needs.py").write_text("import no_such\n")
    (here / "exits.py").write_text("raise SystemExit(3)\n")
    done = mapped("a\n", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) <= 2
    assert "on=" not in done.stderr
    assert "executor" not in done.stderr


def test_the_how_to_shows_what_comes_out(here: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/map-from-the-shell.md").read_text(encoding="utf-8")
    program = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert program is not None
    (here / "orders.py").write_text(program[1])
    shown = re.findall(r"```sh\n(.*?)```\n+```text\n(.*?)```", page, re.DOTALL)
    assert len(shown) == 2
    for command, text in shown:
        done = subprocess.run(
            ["bash", "-c", f'headway() {{ "{sys.executable}" -m headway "$@"; }}; {command}'],
            cwd=here,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.stdout == text
