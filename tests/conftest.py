"""What all tests share: the command line as a subprocess, and the rule that CI skips nothing."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
from _pytest.runner import runtestprotocol

from headway import _native
from headway.errors import CannotObserve

# How long an example takes says something of the machine, and nothing of what is tested.
hypothesis.settings.register_profile(
    "headway", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("headway")

Headway = Callable[..., "subprocess.CompletedProcess[str]"]

NOT_FOR = "not for "
"""Begins the reason of a skip that is right everywhere: the test is about another Python or platform."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate", action="store_true", help="write the golden files anew instead of comparing"
    )


def pytest_configure() -> None:
    # A shell's background job ignores the first two, nohup the third, and so would every program of a test.
    for signum in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(signum) == signal.SIG_IGN:
            signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("native") is not None:
        try:
            _native.library()
        except CannotObserve as error:
            pytest.skip(error.message)


RETRIED: list[str] = []
"""The tests marked `known_time` that did not pass at first, for the summary."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Try a test that compares two clocks up to three times: what is wrong stays wrong.

    Its programs run anew. A virtual machine stands still for some milliseconds at times, also between
    the tracer's clock and the program's.
    """
    if item.get_closest_marker("known_time") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in range(3):
        if attempt:
            RETRIED.append(item.nodeid)
            item.session._setupstate.teardown_exact(None)  # the module's fixtures, too: they hold the traces
            item._initrequest()  # type: ignore[attr-defined]
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if not any(report.failed for report in reports):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for nodeid in RETRIED:
        terminalreporter.write_line(f"TRIED AGAIN {nodeid}: known_time")
    if os.environ.get("HEADWAY_CI"):
        terminalreporter.write_line(f"slowest files: {_slowest_files(terminalreporter)}")


def _slowest_files(terminalreporter: pytest.TerminalReporter) -> str:
    seconds: dict[str, float] = {}
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport):
            name = report.location[0]
            seconds[name] = seconds.get(name, 0.0) + report.duration
    slowest = sorted(seconds.items(), key=lambda item: item[1], reverse=True)
    return ", ".join(f"{name} {took:.0f} s" for name, took in slowest[:20])


def _must_run(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where HEADWAY_CI is set: what CI must run and cannot is a failure."""
    if not (report.skipped and os.environ.get("HEADWAY_CI")) or hasattr(report, "wasxfail"):
        return
    reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(NOT_FOR):
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped here (HEADWAY_CI is set): {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _must_run(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _must_run(report)
    return report


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> Iterator[None]:
    """Fail a test after which pytest's thread has a gevent hub, or a thread goes on: either changes later tests."""
    before = set(threading.enumerate())
    yield
    hubs = sys.modules.get("gevent._hub_local")
    hub = None if hubs is None else hubs.get_hub_if_exists()
    if hub is not None:
        hub.destroy(destroy_loop=True)
    left = [thread for thread in threading.enumerate() if not (thread.daemon or thread in before)]
    for thread in left:
        thread.join(10)  # one that was told to end may be about to
    assert hub is None, "it left a gevent hub in pytest's thread"
    assert not any(thread.is_alive() for thread in left), f"it left {left}"


@pytest.fixture
def headway(tmp_path: Path) -> Headway:
    """Run the command line in an empty directory, with nothing on stdin."""

    def run(
        *args: str | Path, cwd: Path = tmp_path, env: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "headway", *map(str, args)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
