"""`headway map` as a command, in a directory with a module of functions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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
