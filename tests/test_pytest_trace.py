"""The fixture `headway_record` and `--headway-trace`: a test errs on what it leaves behind, and on nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.native

TESTS = """
import asyncio
import threading
import time
import pytest

never = threading.Event()

@pytest.fixture
def helper():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    yield
    stop.set()
    thread.join()

def test_leaves_a_thread(headway_record):
    threading.Thread(target=never.wait, name="poller", daemon=True).start()

def test_blocks_a_loop(headway_record):
    async def ticks():
        for _ in range(5):
            await asyncio.sleep(0.01)
    async def main():
        other = asyncio.create_task(ticks())
        await asyncio.sleep(0.02)
        time.sleep(0.3)
        await other
    asyncio.run(main())

def test_leaves_nothing(headway_record, helper):
    assert headway_record.findings == () or helper

def test_is_not_recorded():
    threading.Thread(target=never.wait, daemon=True).start()
"""


def run_pytest(tmp_path: Path, *options: str, tests: str = TESTS, ini: str = "") -> tuple[str, str, int]:
    """Run pytest on some tests, by itself: without what traces this process."""
    (tmp_path / "test_some.py").write_text(tests, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(f"[pytest]\n{ini}\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if "HEADWAY" not in name}
    environment |= {"TMPDIR": str(tmp_path / "tmp"), "NO_COLOR": "1"}
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, "test_some.py"]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    return ended.stdout, ended.stderr, ended.returncode


@pytest.mark.parametrize(("options", "ini"), [(["--headway-trace"], ""), ([], "headway_trace = true")])
def test_a_test_errs_on_a_leak_and_on_a_blocked_loop(options: list[str], ini: str, tmp_path: Path) -> None:
    out, err, status = run_pytest(tmp_path, *options, ini=ini)

    # An editable installation has a module that is loaded before pytest, which warns of that.
    assert re.search(r"4 passed,( 1 warning,)? 2 errors", out), out + err
    assert "During handling" not in out
    assert status == pytest.ExitCode.TESTS_FAILED
    assert "leaked: thread `poller`, made at test_some.py:19, had not ended when the block did" in out
    assert "do: tell it to end, and join() it, before the block ends" in out
    assert "loop-blocked: task `Task-" in out
    assert out.count("test session starts") == 1
    assert list((tmp_path / "tmp").glob("headway-*")) == []
    assert not (tmp_path / ".headway").exists()


def test_without_the_tracer_a_test_that_wants_it_says_which_line_to_run(tmp_path: Path) -> None:
    out, _, status = run_pytest(tmp_path, "-k", "nothing or not_recorded")

    assert "1 passed" in out
    assert "1 error" in out
    assert "this process is not traced" in out
    assert "hint: run it as: pytest --headway-trace, or set headway_trace = true" in out
    assert status == pytest.ExitCode.TESTS_FAILED


def test_the_exit_status_and_the_arguments_are_those_of_pytest(tmp_path: Path) -> None:
    out, err, status = run_pytest(tmp_path, "--headway-trace", "-q", "-k", "not test_")

    assert "4 deselected" in out, out + err
    assert status == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_program_that_calls_pytest_itself_is_told_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "tests.py").write_text("import pytest\nraise SystemExit(pytest.main(['--headway-trace']))\n")
    environment = {name: value for name, value in os.environ.items() if "HEADWAY" not in name}
    ended = subprocess.run(
        [sys.executable, "tests.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert "this program has called pytest.main() itself" in ended.stderr
    assert "hint: run the program under `headway trace`" in ended.stderr
