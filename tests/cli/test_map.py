"""`headway map`, run as a command: what goes in, what comes out, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from observed import wait_until_blocked

COMMAND = [sys.executable, "-m", "headway", "map"]
TOOLS = '''\
import asyncio, os, sys, time
from pathlib import Path

def shout(line): return line.upper() + "!"
async def whisper(line):
    await asyncio.sleep(0)
    return line.lower()
def half(line): return int(line) / 2
def nothing(line): return None
def raw(line): return os.fsencode(line)[::-1]
def add(a, b=0, *, c=0): return a + b + c
def both(a, b): return a
def reads(line): return repr(sys.stdin.read()) + line
def prints(line):
    print("printed " + line + chr(10), end="")
    return "result " + line
def dies(line):
    if line == "die": os._exit(7)
    return line
def hangs(line):
    if line == "hang": time.sleep(600)
    return line
def odd(line):
    if int(line) % 2: raise ValueError("odd")
    return line
def at_second(line):
    """Fails for each line the first time, and for some the second time, too."""
    seen = Path("seen-" + line)
    if not seen.exists():
        seen.touch()
        raise ConnectionError("first time")
    if line.endswith("7"):
        raise KeyError(line)
    return line
def gate(line):
    Path("waits").touch()
    while not Path("go").exists(): time.sleep(0.01)
    return line
class Tool:
    @staticmethod
    def twice(line): return 2 * line
text = "no function"
'''
ON = pytest.mark.parametrize("on", ["auto", "serial", "threads", "processes"])


@pytest.fixture(autouse=True)
def here(tmp_path: Path) -> Path:
    (tmp_path / "tools.py").write_text(TOOLS)
    return tmp_path


Mapped = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def mapped(here: Path) -> Mapped:
    """Run the verb with some input."""

    def run(lines: str, *args: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *args], cwd=here, input=os.fsencode(lines), capture_output=True, check=False
        )
        return subprocess.CompletedProcess(
            args, done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr)
        )

    return run


Opened = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def opened(here: Path) -> Iterator[Opened]:
    """Start the verb, with unbuffered pipes."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*args: str, **streams: Any) -> subprocess.Popen[bytes]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
        started.append(subprocess.Popen([*COMMAND, *args], cwd=here, bufsize=0, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


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
    assert "line 3, '\"nan\"': Out of range float values are not JSON compliant" in done.stderr


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
    assert "halted at line 3\n1 of 3 calls of tools:odd failed\n" in done.stderr


def test_a_call_that_takes_too_long_is_stopped(mapped: Mapped) -> None:
    done = mapped("a\nhang\nb\n", "tools:hangs", "--timeout", "1")
    assert (done.returncode, done.stdout) == (1, "a\nb\n")
    assert "  TimedOut (1)\n    line 2, 'hang': " in done.stderr


def test_a_call_whose_worker_dies_fails_alone(mapped: Mapped) -> None:
    done = mapped("a\ndie\nb\n", "tools:dies", "--on", "processes")
    assert (done.returncode, done.stdout) == (1, "a\nb\n")
    assert "  WorkerDied (1)\n    line 2, 'die': " in done.stderr


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
        (["tools:shout", "--on", "thread"], "there is no backend 'thread'\nhint: did you mean 'threads'?"),
        (["tools:whisper", "--on", "threads"], "is a coroutine function, which on='threads' cannot run"),
        (["tools:shout", "--timeout", "1", "--on", "threads"], "a call on threads cannot be stopped"),
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


@ON
def test_a_result_does_not_wait_for_the_next_line(opened: Opened, on: str) -> None:
    process = opened("tools:shout", "--on", on)
    assert process.stdin is not None
    assert process.stdout is not None
    for line in (b"a", b"b", b"c"):
        process.stdin.write(line + b"\n")
        assert process.stdout.readline() == line.upper() + b"!\n"
    process.stdin.close()
    assert process.wait() == 0


@ON
def test_ctrl_c_ends_it_at_once_and_keeps_the_results_that_are_there(opened: Opened, on: str) -> None:
    process = opened("tools:hangs", "--on", on)
    assert process.stdin is not None
    assert process.stdout is not None
    for line in (b"a\n", b"b\n"):
        process.stdin.write(line)
        assert process.stdout.readline() == line
    process.stdin.write(b"hang\n" * 50)
    wait_until_blocked(process.pid)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr == b"\ninterrupted after 2 calls of tools:hangs\n"


@ON
def test_it_stops_when_nobody_reads_its_results(opened: Opened, on: str) -> None:
    endless = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
    process = opened("tools:shout", "--on", on, stdin=endless.stdout)
    assert endless.stdout is not None
    endless.stdout.close()
    assert process.stdout is not None
    assert process.stdout.readline() == b"Y!\n"
    process.stdout.close()
    assert process.wait() == 141
    assert endless.wait() == -signal.SIGPIPE
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_results_that_cannot_be_written_are_an_error(opened: Opened) -> None:
    with open("/dev/full", "wb") as full:
        process = opened("tools:shout", stdout=full)
        _, stderr = process.communicate(b"a\n")
    assert process.returncode == 1
    assert stderr == b"error: cannot write to stdout: No space left on device\n"


def test_a_pipe_is_read_only_so_far_ahead(opened: Opened, here: Path) -> None:
    process = opened("tools:gate", "--on", "threads", "-j", "1")
    assert process.stdin is not None
    line = b"x" * 999 + b"\n"
    # 1024 lines ahead, those given to the worker, one chunk being split, and what the pipe itself holds.
    most = len(line) * (1024 + 64) + 2 * 65536
    wrote = 0
    os.set_blocking(process.stdin.fileno(), False)
    # Until nothing was read for a second; were there no bound, this would go on and fail.
    while select.select([], [process.stdin], [], 1 if (here / "waits").exists() else 30)[1]:
        wrote += process.stdin.write(line) or 0
        assert wrote <= most
    (here / "go").touch()
    process.stdin.close()
    assert process.stdout is not None
    stdout = b""
    while data := process.stdout.read(65536):
        stdout += data
    assert stdout.count(b"x") == wrote - wrote // len(line)


def test_memory_does_not_grow_with_the_input(here: Path) -> None:
    def peak_kb(lines: int) -> int:
        code = f"print(('x' * 99 + '\\n') * 1000 * {lines // 1000}, end='')"
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as source:
            process = subprocess.Popen(
                [*COMMAND, "builtins:str"], cwd=here, stdin=source.stdout, stdout=subprocess.DEVNULL
            )
            assert source.stdout is not None
            source.stdout.close()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return used.ru_maxrss

    assert peak_kb(400_000) - peak_kb(2000) < 20_000  # 40 MB went through


def show_on_a_terminal(here: Path, *args: str) -> tuple[bytes, bytes]:
    """What the verb writes to stdout, a pipe, and to stderr, a terminal."""
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "tools:half", *args],
        cwd=here,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=side,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(side)
    stdout, _ = process.communicate(b"1\n2\nx\n")
    shown = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux's way to say that the other side is closed
            break
        if not data:
            break
        shown += data
    os.close(terminal)
    return stdout, shown


def test_a_terminal_shows_how_far_it_is(here: Path) -> None:
    stdout, shown = show_on_a_terminal(here)
    assert stdout == b"0.5\n1.0\n"
    assert b"tools:half" in shown
    assert b"done" in shown
    assert b"1 of 3 calls of tools:half failed" in shown


def test_progress_can_be_switched_off(here: Path) -> None:
    stdout, shown = show_on_a_terminal(here, "--no-progress")
    assert stdout == b"0.5\n1.0\n"
    assert b"done" not in shown


def test_the_how_to_shows_what_comes_out(here: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/map-from-the-shell.md").read_text(encoding="utf-8")
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
