"""Ctrl-C in the middle: the program ends at once, by the signal, with one traceback and no worker left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from observed import wait_until_blocked

MAP = """
import headway, pathlib, sys, time

def call(directory):
    (pathlib.Path(directory) / "begun").touch()
    {body}

for _ in headway.map(call, [sys.argv[1]] * 20, on={on!r}):
    pass
"""
EXECUTOR = """
import headway, pathlib, sys, time

def call(directory):
    (pathlib.Path(directory) / "begun").touch()
    {body}

executor = headway.Executor({on!r}, 2)
futures = [executor.submit(call, sys.argv[1]) for _ in range(20)]
futures[0].result()
"""
PIPELINE = """
import headway, pathlib, sys, time

def call(directory):
    (pathlib.Path(directory) / "begun").touch()
    {body}

for _ in headway.pipeline([sys.argv[1]] * 20) | headway.step(str, on="threads") | headway.step(call, on={on!r}):
    pass
"""
BODIES = {"sleeps": "time.sleep(3600)", "computes": "\n    while True: pass"}


def group_is_alive(group: int) -> bool:
    """Whether a process of the group runs; one that has ended and that nobody has waited for does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            return True
    return False


@pytest.mark.parametrize(
    ("program", "on", "body"),
    [
        (MAP, "serial", "sleeps"),
        (MAP, "threads", "sleeps"),
        (MAP, "auto", "sleeps"),
        (MAP, "processes", "sleeps"),
        (MAP, "processes", "computes"),
        (EXECUTOR, "threads", "sleeps"),
        (EXECUTOR, "processes", "sleeps"),
        (EXECUTOR, "processes", "computes"),
        (PIPELINE, "threads", "sleeps"),
        (PIPELINE, "processes", "sleeps"),
    ],
)
def test_ctrl_c_ends_the_program_and_its_workers(program: str, on: str, body: str, tmp_path: Path) -> None:
    source = program.format(on=on, body=BODIES[body])
    running = subprocess.Popen(
        [sys.executable, "-c", source, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while not (tmp_path / "begun").exists():
            assert running.poll() is None, running.communicate()[1]
            time.sleep(0.01)
        wait_until_blocked(running.pid)
        os.killpg(running.pid, signal.SIGINT)
        stdout, stderr = running.communicate()
        while group_is_alive(running.pid):
            time.sleep(0.01)
    finally:
        if group_is_alive(running.pid):
            os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode == -signal.SIGINT
    assert stdout == ""
    assert stderr.count("Traceback") == 1
    assert stderr.splitlines()[-1] == "KeyboardInterrupt"
