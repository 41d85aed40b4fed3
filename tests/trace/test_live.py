"""A trace is read while its program runs, or after headway itself was killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headway.trace.report import as_dict

HANGS = """
import sys, threading
first, second, both = threading.Lock(), threading.Lock(), threading.Barrier(3)
def take(one, other):
    with one:
        both.wait()
        with other: pass
threading.Thread(target=take, args=(first, second), name="forward", daemon=True).start()
threading.Thread(target=take, args=(second, first), name="backward", daemon=True).start()
both.wait()
print("stuck", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("killed", [False, True], ids=["headway waits", "headway was killed"])
def test_a_hang_shows_as_long_as_it_lasts(*, killed: bool, tmp_path: Path) -> None:
    program, directory = tmp_path / "hangs.py", tmp_path / "trace"
    program.write_text(HANGS)
    command = [sys.executable, "-m", "headway", "trace", "-o", str(directory), str(program)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        assert run.stdout.readline() == b"stuck\n"
        if killed:
            os.kill(run.pid, signal.SIGKILL)
        since = time.monotonic()
        stuck: list[float] = []
        while len(stuck) < 2 or min(stuck) < 0.3:
            report = as_dict(directory)
            names = {unit["id"]: unit["name"] for unit in report["units"]}
            units = {unit["name"]: unit for unit in report["units"]}
            stuck = [
                units[names[wait["unit"]]]["states"]["waiting"]["lock"]
                for wait in report["waits"]
                if wait["reason"] == "lock" and wait["end_s"] is None
            ]
            assert max(stuck, default=0) <= time.monotonic() - since + 10
        assert report["exit"] is None
        run.stdin.close()
