"""`headway report`, run as a command."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.native

Headway = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_has_gone_ends_it_without_a_word(
    options: list[str], headway: Headway, tmp_path: Path
) -> None:
    (tmp_path / "prog.py").write_text("print()")
    assert headway("trace", "-o", "trace", "prog.py").returncode == 0
    reading, writing = os.pipe()
    os.close(reading)
    report = subprocess.run(
        [sys.executable, "-m", "headway", "report", "trace", *options],
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (report.returncode, report.stderr) == (141, b"")
