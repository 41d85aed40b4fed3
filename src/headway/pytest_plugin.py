"""The pytest plugin: the mark `headway`, the fixture `headway_explore`, and their options; and what `pytest_trace` has.

A test that uses none of it costs nothing: `headway.check` is loaded with the first that does.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import shlex
import sys
import time
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from headway.errors import (
    CannotControl,
    CheckError,
    HeadwayError,
    ReplayDiverged,
    ScheduleFailure,
    UsageError,
)
from headway.pytest_trace import add_options, headway_record, pytest_load_initial_conftests

if TYPE_CHECKING:
    from headway.check.verdict import Verdict

# pytest finds hooks and fixtures among the names of this module.
__all__ = ["headway_record", "pytest_load_initial_conftests"]

_SECTION = "headway"
_NOTES = "headway notes"
_told: pytest.StashKey[dict[str, list[str]]] = pytest.StashKey()
"""Of a test: the lines for each section of its report."""
# In these the test itself reads what it has printed.
_READERS = {"capsys", "capfd", "capsysbinary", "capfdbinary", "capteesys"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("headway", "headway: tests under many schedules")
    group.addoption(
        "--headway-schedules",
        metavar="N",
        type=int,
        help="schedules for each test that does not say itself [1000]",
    )
    group.addoption(
        "--headway-seconds",
        metavar="S",
        type=float,
        help="seconds for each test that does not say itself; 0 for no limit [10]",
    )
    group.addoption(
        "--headway-seed", metavar="N", type=int, help="seed for each test that does not say itself [0]"
    )
    group.addoption(
        "--headway-replay", metavar="TOKEN", help="run the one test that is selected under this schedule only"
    )
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """The mark."""
    config.addinivalue_line(
        "markers",
        "headway(schedules=1000, seconds=10, strategy='auto', seed=0, granularity='access', carrier='threads', "
        "also=()): run the test's function under many schedules, and fail with one that breaks it",
    )
    _keep_our_asserts(config)


def _keep_our_asserts(config: pytest.Config) -> None:
    """Undo what pytest does to a package that has a plugin: rewritten asserts cost up to a third of the speed.

    There is no public way but a word in the docstring of each module; if the names below change, it is slower.
    """
    hook = config.pluginmanager.rewrite_hook
    marked = getattr(hook, "_must_rewrite", None)
    cache = getattr(hook, "_marked_for_rewrite_cache", None)
    if isinstance(marked, set) and isinstance(cache, dict):
        marked.discard("headway")
        cache.clear()


def pytest_collection_finish(session: pytest.Session) -> None:
    """A token belongs to one test."""
    token = session.config.getoption("headway_replay")
    if token is None or session.testsfailed or session.config.getoption("collectonly", False):
        return
    if len(session.items) != 1:
        raise pytest.UsageError(
            f"--headway-replay is for one test; {len(session.items)} are selected: name it, as path::test"
        )
    if not _is_ours(session.items[0]):
        raise pytest.UsageError(
            f"--headway-replay: {session.items[0].nodeid} has no mark headway, and does not use headway_explore"
        )
    from headway.check.token import decode

    try:
        decode(token.rpartition("@")[2])
    except UsageError as error:
        raise pytest.UsageError(f"--headway-replay: {error}") from None


def _is_ours(item: pytest.Item) -> bool:
    return item.get_closest_marker("headway") is not None or "headway_explore" in getattr(
        item, "fixturenames", ()
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What cannot be a scenario says so; in silence it would run once, and pass."""
    if item.get_closest_marker("headway") is None:
        return
    unittest = sys.modules.get("unittest")
    owner = getattr(item, "cls", None)
    reason = ""
    if not isinstance(item, pytest.Function):
        reason = f"{type(item).__name__} is no function"
    elif unittest is not None and isinstance(owner, type) and issubclass(owner, unittest.TestCase):
        reason = "methods of unittest.TestCase are not run by pytest itself"
    elif hasattr(item.obj, "hypothesis"):
        reason = "hypothesis runs it many times itself"
    if reason:
        pytest.fail(
            f"the mark headway does not work here: {reason}\nhint: call headway.explore in the test",
            pytrace=False,
        )


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """The function of a marked test is the scenario."""
    __tracebackhide__ = True
    mark = pyfuncitem.get_closest_marker("headway")
    if mark is None:
        return None
    if mark.args:
        raise UsageError(
            f"pytest.mark.headway takes its options by name, not {mark.args!r}",
            hint="headway(schedules=1000)",
        )
    explorer = _Explorer(pyfuncitem)
    try:
        explorer.explore(_scenario(pyfuncitem), mark.kwargs)
    except (CheckError, UsageError) as error:
        raise error.with_traceback(None)  # noqa: B904 (it is the same one, without how headway came to it)
    return True


def _scenario(item: pytest.Function) -> Callable[[], Any]:
    """The test's function with its fixtures and parameters, which all schedules share."""
    function = item.obj
    if type(item).__module__.partition(".")[0] == "pytest_asyncio":  # it has put its own loop around it
        function = getattr(function, "__wrapped__", function)
    names = item._fixtureinfo.argnames
    return functools.partial(function, **{name: item.funcargs[name] for name in names}) if names else function


@pytest.fixture
def headway_explore(request: pytest.FixtureRequest) -> Callable[..., Verdict]:
    """Run a scenario under many schedules: `headway.explore` with the options of the command line as defaults."""
    explorer = _Explorer(request.node)

    def explore(scenario: Callable[[], Any], **options: Any) -> Verdict:
        __tracebackhide__ = True
        return explorer.explore(scenario, options)

    return explore


class _Explorer:
    """Explores for one test, and tries first what has failed before."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._config = item.config
        self._calls = 0

    def explore(self, scenario: Callable[[], Any], given: Mapping[str, Any]) -> Verdict:
        __tracebackhide__ = True
        from headway.check.stored import Stored

        self._calls += 1
        options = {**self._defaults(), **given}
        _check_names(options)
        stored = Stored(
            getattr(self._config, "cache", None),
            self._item.nodeid if self._calls == 1 else f"{self._item.nodeid}#{self._calls}",
        )
        number, _, token = (self._config.getoption("headway_replay") or "").rpartition("@")
        if token and number in ("", str(self._calls)) and (number or self._calls == 1):
            return self._replay(scenario, token, options)
        self._again(scenario, options, stored)
        try:
            with self._silence():
                verdict = _explore(scenario, options)
        except ScheduleFailure as failure:
            if failure.token:
                stored.add(failure.token)
            raise self._tell(failure)  # noqa: B904 (it is the same one)
        self._say(_SECTION, str(verdict))
        for race in verdict.races:
            self._say(_NOTES, race)
        return verdict

    def _replay(self, scenario: Callable[[], Any], token: str, options: dict[str, Any]) -> Verdict:
        """As `--headway-replay` says."""
        __tracebackhide__ = True
        from headway.check.token import decode
        from headway.check.verdict import Verdict

        started = time.monotonic()
        try:
            _replay(scenario, token, options)
        except ScheduleFailure as failure:
            raise self._tell(failure)  # noqa: B904 (it is the same one)
        self._say(_NOTES, f"followed the schedule {token} to its end: no failure")
        granularity = decode(token).granularity
        return Verdict(1, False, time.monotonic() - started, granularity, options.get("seed", 0))

    def _again(self, scenario: Callable[[], Any], options: dict[str, Any], stored: Any) -> None:
        """Try the schedules under which it has failed before."""
        __tracebackhide__ = True
        for token in stored.tokens():
            try:
                with self._silence():
                    _replay(scenario, token, options)
            except ScheduleFailure as failure:
                self._say(_SECTION, "it failed under this schedule before, so it was tried first")
                raise self._tell(failure)  # noqa: B904 (it is the same one)
            except CannotControl:
                raise
            except (ReplayDiverged, UsageError):
                self._say(_NOTES, f"the stored schedule {token} does not fit any more: removed")
            else:
                self._say(_NOTES, f"the stored schedule {token} does not fail any more: removed")
            stored.remove(token)

    def _defaults(self) -> dict[str, Any]:
        option = self._config.getoption
        found = {name: option(f"headway_{name}") for name in ("schedules", "seconds", "seed")}
        found = {name: value for name, value in found.items() if value is not None}
        if found.get("seconds") == 0:
            found["seconds"] = None
        return found

    def _tell(self, failure: ScheduleFailure) -> ScheduleFailure:
        """Name the command that replays it, in place of the call."""
        if failure.token:
            token = failure.token if self._calls == 1 else f"{self._calls}@{failure.token}"
            path = os.path.relpath(self._item.path, self._config.invocation_params.dir)
            test = "::".join([path, *str(self._item.nodeid).split("::")[1:]])
            command = f"replay: pytest {shlex.quote(test)} --headway-replay={token}"
            self._say(_SECTION, command)
            failure.args = (f"{failure.report}\n{command}",)
        return failure

    def _say(self, section: str, line: str) -> None:
        self._item.stash.setdefault(_told, {}).setdefault(section, []).append(line)

    def _silence(self) -> contextlib.AbstractContextManager[None]:
        """A scenario prints once for each schedule; under --headway-replay it is heard."""
        if _READERS.intersection(getattr(self._item, "fixturenames", ())):
            return contextlib.nullcontext()
        from headway.check.silence import silence

        return silence()


def _explore(scenario: Callable[[], Any], options: dict[str, Any]) -> Verdict:
    __tracebackhide__ = True
    from headway.check.explore import explore

    return explore(scenario, **options)


def _replay(scenario: Callable[[], Any], token: str, options: dict[str, Any]) -> None:
    __tracebackhide__ = True
    from headway.check.explore import replay

    replay(scenario, token, **{name: options[name] for name in ("carrier", "also") if name in options})


def _check_names(options: dict[str, Any]) -> None:
    from headway.check.explore import explore

    known = [name for name in inspect.signature(explore).parameters if name != "scenario"]
    for name in options:
        if name not in known:
            raise UsageError(f"there is no option {name!r}", hint=f"one of {', '.join(known)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What there is to say goes with the report, also from another process."""
    report = yield
    if call.when == "call":
        for name, lines in item.stash.get(_told, {}).items():
            report.sections.append((name, "\n".join(lines)))
        if call.excinfo is not None and isinstance(call.excinfo.value, HeadwayError):
            _forget_hidden(report.longrepr, item)
    return report


def _forget_hidden(shown: Any, item: pytest.Item) -> None:
    """That no frame of ours is shown needs no saying; the failure is at the test."""
    for part in getattr(shown, "chain", ()):
        if getattr(part[0], "extraline", None) and not any(
            entry.reprfileloc for entry in part[0].reprentries
        ):
            part[0].extraline = None
    crash = getattr(shown, "reprcrash", None)
    if crash is not None and item.get_closest_marker("headway") is not None:
        crash.path, crash.lineno = str(item.path), (item.location[1] or 0) + 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Notes on tests that passed; those on others stand with them."""
    passed = [report for report in terminalreporter.getreports("passed") if report.when == "call"]
    for report in passed:
        for name, text in report.sections:
            if name == _NOTES:
                for line in text.splitlines():
                    terminalreporter.write_line(f"headway: {report.nodeid}: {line}")
