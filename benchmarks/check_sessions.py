"""Searches in processes of their own, stopped where they hang. For `check.py`."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATIENCE_S = 20.0
"""More than its budget that a search may take, for its start and its last schedule."""


@dataclass(frozen=True)
class Search:
    """What came of one search.

    Attributes:
        how: In the tool's own word; "" if it found nothing, "no end" or "died" if it gave no answer.
        found: What it found can be what is known of the program.
    """

    seed: int
    how: str
    found: bool
    schedules: int | None
    seconds: float


def searches(
    tool: str, arm: str, name: str, schedules: int, seconds: float, patience_s: float, seeds: Sequence[int]
) -> Iterator[Search]:
    """Search with one seed after the other; what hangs or dies is an answer, and the next seed gets a new process."""
    left = list(seeds)
    while left:
        command = [sys.executable, str(HERE / "check_once.py"), tool, arm, name, str(schedules), str(seconds)]
        process = _start([*command, *map(str, left)])
        try:
            for line in _lines(process, seconds + patience_s):
                yield Search(seed=left.pop(0), **json.loads(line))
                if not left:
                    break
            else:
                if left:
                    ended = process.poll()
                    how = "no end" if ended is None else f"died ({ended})"
                    took = seconds + patience_s if ended is None else 0.0
                    yield Search(left.pop(0), how, found=False, schedules=None, seconds=took)
        finally:
            _stop(process)


def rate(program: str, tool: str, schedules: int, limit_s: float) -> tuple[float | None, str]:
    """Schedules per second, or why there is no number."""
    process = _start([sys.executable, str(HERE / "check_speed.py"), program, tool, str(schedules)])
    try:
        for line in _lines(process, limit_s):
            said = json.loads(line)
            note = "" if said["schedules"] >= schedules else f"only {said['schedules']} schedules"
            return said["schedules"] / said["seconds"], note
        return None, f"no end in {limit_s:.0f} s" if process.poll() is None else "died"
    finally:
        _stop(process)


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # Orders that depend on hashes are the same for all seeds and tools.
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )


def _lines(process: subprocess.Popen[bytes], limit_s: float) -> Iterator[bytes]:
    """Lines as they come, until one takes longer than the limit."""
    assert process.stdout is not None
    inside = process.stdout.fileno()
    rest = b""
    end = time.monotonic() + limit_s
    while select.select([inside], [], [], max(0.0, end - time.monotonic()))[0]:
        read = os.read(inside, 65536)
        if not read:
            process.wait(5)
            return
        *lines, rest = (rest + read).split(b"\n")
        if lines:
            yield from lines
            end = time.monotonic() + limit_s


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
