"""`headway view`, run as a command."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from headway.trace.format import Kind
from synthetic import MS, T0, FakeTrace

Headway = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    fake = FakeTrace(tmp_path / "trace", end_ns=T0 + 100 * MS)
    fake.process(end_ns=T0 + 100 * MS).thread().then(Kind.PYTHON, 100 * MS).ends()
    return fake.write()


def test_a_page_is_written_where_it_is_asked_for_and_nothing_is_opened(
    trace: Path, headway: Headway, tmp_path: Path
) -> None:
    ended = headway("view", trace, "-o", "page.html", env={"BROWSER": "false %s"})
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr.startswith("page.html: ")
    assert (tmp_path / "page.html").stat().st_mode & 0o777 == 0o600


def test_without_a_name_it_is_a_file_of_nobody_else_and_the_browser_opens_it(
    trace: Path, headway: Headway, tmp_path: Path
) -> None:
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$1" > opened\n')
    browser.chmod(0o755)
    ended = headway("view", trace, env={"BROWSER": f"{browser} %s", "TMPDIR": str(tmp_path)})
    assert (ended.returncode, ended.stderr) == (0, "")
    file = Path(ended.stdout.strip())
    assert file.parent == tmp_path
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "opened").read_text().strip() == file.as_uri()


def test_without_a_browser_it_says_what_to_open(trace: Path, headway: Headway, tmp_path: Path) -> None:
    nowhere = {"BROWSER": "", "DISPLAY": "", "WAYLAND_DISPLAY": "", "TMPDIR": str(tmp_path)}
    ended = headway("view", trace, env=nowhere)
    assert ended.returncode == 0
    assert Path(ended.stdout.strip()).as_uri() in ended.stderr


def test_a_trace_that_cannot_be_read_leaves_no_file(headway: Headway, tmp_path: Path) -> None:
    (tmp_path / "trace").mkdir()
    (tmp_path / "trace" / "process-1-1.hw").write_bytes(b"no trace of any kind" * 1000)
    ended = headway("view", "trace", env={"TMPDIR": str(tmp_path)})
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "not a trace file" in ended.stderr
    assert not list(tmp_path.glob("*.html"))
