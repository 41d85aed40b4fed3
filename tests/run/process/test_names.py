"""Worker processes have names that tell them from others, in `ps` and in traces."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import headway


def test_the_command_of_a_worker_begins_with_its_name() -> None:
    with headway.Executor("processes", 1) as executor:
        pid = executor.submit(os.getpid).result()
        command = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    code = command[command.index("-c") + 1]
    assert re.match(r"'worker \d+ of headway'; import sys; ", code)


PROGRAM = """
import time
import headway

def call(number):
    time.sleep(0.01)
    return number

print(list(headway.map(call, range(20), on="processes", workers=2)))
"""


@pytest.mark.native
def test_a_trace_calls_workers_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "prog.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "headway", "trace", "--json", "trace.json", "prog.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == f"{list(range(20))}\n"
    report = json.loads((tmp_path / "trace.json").read_text())
    names = sorted(unit["name"] for unit in report["units"] if unit["kind"] == "process")
    assert names == ["prog.py", "worker 1 of headway", "worker 2 of headway"]
