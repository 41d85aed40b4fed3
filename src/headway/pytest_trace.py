"""What the pytest plugin has for traces: the option `--headway-trace`, and the fixture `headway_record`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headway.errors import CannotObserve, UsageError

if TYPE_CHECKING:
    from headway.trace.block.recording import Recording

__all__ = ["add_options", "headway_record", "pytest_load_initial_conftests"]


def add_options(parser: pytest.Parser) -> None:
    """The option and its setting."""
    words = "run the tests under the tracer, which the fixture headway_record needs"
    parser.getgroup("headway").addoption("--headway-trace", action="store_true", default=False, help=words)
    parser.addini("headway_trace", f"{words}: as --headway-trace", type="bool", default=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, args: list[str]
) -> Generator[None, object, object]:
    """Run the same command again under the tracer, before anything of the tests is loaded or captured."""
    asked = bool(getattr(early_config.known_args_namespace, "headway_trace", False))
    if (asked or early_config.getini("headway_trace")) and "HEADWAY_TRACE_DIR" not in os.environ:
        if list(early_config.invocation_params.args) != sys.argv[1:]:
            raise pytest.UsageError(
                "--headway-trace is for the command pytest: this program has called pytest.main() itself\n"
                "hint: run the program under `headway trace`"
            )
        try:
            status = _run_traced()
        except (CannotObserve, UsageError) as error:
            if asked:
                raise pytest.UsageError(f"--headway-trace: {error}") from None
        else:
            raise SystemExit(status)
    return (yield)


def _run_traced() -> int:
    """Run this command under the tracer, without a report on it as a whole."""
    from headway.trace.launch import end_like, launch

    directory = Path(tempfile.mkdtemp(prefix="headway-pytest-"))
    try:
        run = launch([sys.executable, *sys.orig_argv[1:]], directory=directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return end_like(run.status)


@pytest.fixture
def headway_record() -> Generator[Recording, None, None]:
    """Record the test, and fail it at its end if there is a finding.

    That is a leak, a blocked event loop, locks that are taken in opposite orders, a deadlock.

    What fixtures make that were there before it counts as well, if they make it during the test. It needs
    `--headway-trace`, or `headway_trace = true` in pytest's configuration; where nothing can be traced, as off Linux,
    tests that use it are skipped.
    """
    recording = _begin()
    with recording:
        yield recording
    if recording.findings:
        _fail(recording)


def _begin() -> Recording:
    from headway.trace.block.recording import record

    __tracebackhide__ = True
    try:
        return record()
    except CannotObserve as error:
        why = str(error)
    if reason := _why_never():
        pytest.skip(reason)
    pytest.fail(why, pytrace=False)


def _fail(recording: Recording) -> None:
    __tracebackhide__ = True
    found = ""
    try:
        recording.assert_no_findings()
    except AssertionError as error:
        found = str(error)
    if found:  # not in the handler: pytest would show what was handled, too
        pytest.fail(found, pytrace=False)


def _why_never() -> str:
    """Why no process can be traced here; empty if one can."""
    from headway import _native

    try:
        _native.library()
    except CannotObserve as error:
        return str(error.message)
    return ""
