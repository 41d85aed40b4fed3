"""`headway map` as one of several processes: its pipes, its memory, Ctrl-C, and a terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

from observed import wait_until_blocked

from .conftest import COMMAND, ON, Opened


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
