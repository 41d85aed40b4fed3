"""The pytest plugin, in real runs of pytest."""

import json
import re
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

BANK = """
import threading
import pytest


class Account:
    def __init__(self, balance):
        self.balance = balance

    def withdraw(self, amount):
        if self.balance >= amount:
            self.balance -= amount


def run(*functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def overdraw():
    account = Account(100)
    run(lambda: account.withdraw(60), lambda: account.withdraw(60))
    assert account.balance >= 0
"""
MARKED = """
@pytest.mark.headway
def test_never_overdrawn():
    overdraw()
"""
MENDED = "        if self.balance >= amount:\n            self.balance -= amount"


def write(pytester: pytest.Pytester, body: str, bank: str = BANK) -> Path:
    return pytester.makepyfile(test_bank=bank + body)


@pytest.fixture(autouse=True)
def _as_at_a_desk(monkeypatch: pytest.MonkeyPatch, only_our_plugin: None) -> None:
    for name in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS"):  # pytest says more in CI
        monkeypatch.delenv(name, raising=False)


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess(*args)


def token_in(result: pytest.RunResult) -> str:
    found = re.search(r"--headway-replay=(\S+)", result.stdout.str())
    assert found is not None, result.stdout.str()
    return found[1]


def entries(pytester: pytest.Pytester) -> list[dict[str, object]]:
    return [
        json.loads(path.read_text())
        for path in sorted(pytester.path.glob(".pytest_cache/v/headway/*"))
        if path.is_file()
    ]


def test_a_marked_test_fails_with_its_own_assertion_and_the_schedule(pytester: pytest.Pytester) -> None:
    write(pytester, MARKED)
    result = run(pytester)
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "E       assert -20 >= 0" in text  # values, as pytest shows them
    assert "ScheduleFailure: AssertionError in scenario" in text
    assert re.search(r"^    > +\d+ ", text, re.MULTILINE)
    assert re.search(r" 11 +self\.balance -= amount", text)
    assert "writes -20" in text
    assert text.count("replay: pytest test_bank.py::test_never_overdrawn --headway-replay=1:") == 2
    assert "All traceback entries are hidden" not in text
    assert "def explore(" not in text  # frames of ours


def test_the_command_that_a_failure_names_shows_it_again(pytester: pytest.Pytester) -> None:
    write(pytester, MARKED + "\n\ndef test_other():\n    pass\n")
    token = token_in(run(pytester, "-p", "no:cacheprovider"))
    again = run(
        pytester, "-p", "no:cacheprovider", "test_bank.py::test_never_overdrawn", f"--headway-replay={token}"
    )
    again.assert_outcomes(failed=1)
    assert "(replayed)" in again.stdout.str()
    assert token_in(again) == token


def test_the_command_names_the_test_as_seen_from_where_pytest_was_called(pytester: pytest.Pytester) -> None:
    pytester.mkdir("inner")
    (pytester.path / "inner" / "test_bank.py").write_text(BANK + MARKED)
    pytester.makeini("[pytest]\n")
    import os

    os.chdir(pytester.path / "inner")
    result = run(pytester)
    assert "replay: pytest test_bank.py::test_never_overdrawn --headway" in result.stdout.str()


def test_a_token_is_for_one_test(pytester: pytest.Pytester) -> None:
    write(pytester, MARKED + "\n\ndef test_other():\n    pass\n")
    several = run(pytester, "--headway-replay=1:000000:AA")
    assert several.ret == pytest.ExitCode.USAGE_ERROR
    several.stderr.fnmatch_lines("ERROR: --headway-replay is for one test; 2 are selected: name it*")
    plain = run(pytester, "--headway-replay=1:000000:AA", "-k", "other")
    assert plain.ret == pytest.ExitCode.USAGE_ERROR
    plain.stderr.fnmatch_lines("ERROR: --headway-replay: *test_other has no mark headway*")


def test_a_token_that_is_none_is_a_clear_error(pytester: pytest.Pytester) -> None:
    write(pytester, MARKED)
    result = run(pytester, "--headway-replay=1:junk")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("ERROR: --headway-replay: not a schedule token: '1:junk'")


def test_a_failing_schedule_is_tried_first_until_it_passes(pytester: pytest.Pytester) -> None:
    write(pytester, MARKED)
    token = token_in(run(pytester))
    assert entries(pytester) == [{"test": "test_bank.py::test_never_overdrawn", "tokens": [token]}]

    again = run(pytester)
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines("it failed under this schedule before, so it was tried first")
    assert token_in(again) == token

    lock = "        with self.lock:\n            if self.balance >= amount:\n                self.balance -= amount"
    mended = BANK.replace(MENDED, lock).replace(
        "self.balance = balance", "self.balance = balance; self.lock = threading.Lock()"
    )
    write(pytester, MARKED, mended)
    passing = run(pytester, "--headway-schedules=20")
    passing.assert_outcomes(passed=1)
    assert re.search(
        rf"headway: test_bank.py::test_never_overdrawn: the stored schedule {token} does not (fail|fit) any more",
        passing.stdout.str(),
    )
    assert entries(pytester) == [{"test": "test_bank.py::test_never_overdrawn", "tokens": []}]


def test_a_passing_test_says_how_much_was_looked_at_when_asked(pytester: pytest.Pytester) -> None:
    write(pytester, "@pytest.mark.headway(schedules=7)\ndef test_ok():\n    run(int, str)\n")
    result = run(pytester, "-rP")
    result.assert_outcomes(passed=1)
    assert re.search(r"no failure in (all )?\d+ schedules at granularity access", result.stdout.str())
    assert "headway:" not in run(pytester).stdout.str()


def test_fixtures_and_parameters_are_shared_by_all_schedules(pytester: pytest.Pytester) -> None:
    write(
        pytester,
        """
made = []

@pytest.fixture
def amount(tmp_path):
    made.append(tmp_path)
    return 60

@pytest.mark.headway(schedules=30)
@pytest.mark.parametrize("first", [10, 60])
def test_never_overdrawn(amount, first):
    account = Account(100)
    run(lambda: account.withdraw(amount), lambda: account.withdraw(first))
    assert account.balance >= 0

def test_made_once_a_test():
    assert len(made) == 2
""",
    )
    result = run(pytester)
    result.assert_outcomes(passed=2, failed=1)
    assert "replay: pytest 'test_bank.py::test_never_overdrawn[60]' --headway-replay=" in result.stdout.str()


def test_methods_are_scenarios_and_a_mark_on_the_class_holds(pytester: pytest.Pytester) -> None:
    write(
        pytester,
        """
@pytest.mark.headway
class TestAccount:
    def test_never_overdrawn(self):
        overdraw()

    @pytest.mark.xfail(strict=True)
    def test_known(self):
        overdraw()
""",
    )
    run(pytester).assert_outcomes(failed=1, xfailed=1)


def test_a_coroutine_function_is_a_scenario(pytester: pytest.Pytester) -> None:
    write(
        pytester,
        """
import asyncio

@pytest.mark.headway
async def test_never_overdrawn():
    balance = 100

    async def withdraw():
        nonlocal balance
        if balance >= 60:
            await asyncio.sleep(0)
            balance -= 60

    await asyncio.gather(withdraw(), withdraw())
    assert balance >= 0
""",
    )
    result = run(pytester)
    result.assert_outcomes(failed=1)
    assert "E       assert -20 >= 0" in result.stdout.str()


def test_the_fixture_explores_and_gives_the_verdict(pytester: pytest.Pytester) -> None:
    write(
        pytester,
        """
def test_two(headway_explore):
    verdict = headway_explore(lambda: run(int, str), granularity="sync", schedules=5)
    assert (verdict.granularity, verdict.seed) == ("sync", 3)
    assert 1 <= verdict.schedules <= 5
    headway_explore(overdraw)
""",
    )
    result = run(pytester, "--headway-seed=3", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    token = token_in(result)
    assert token.startswith("2@1:")  # of the second call
    again = run(pytester, "--headway-seed=3", f"--headway-replay={token}")
    again.assert_outcomes(failed=1)
    assert "(replayed)" in again.stdout.str()


def test_the_command_line_gives_the_defaults_and_the_mark_has_the_last_word(
    pytester: pytest.Pytester,
) -> None:
    write(
        pytester,
        """
calls = []

def body():
    calls.append(1)
    lock = threading.Lock()
    def locked():
        for _ in range(3):
            with lock:
                pass
    run(locked, locked, locked)

@pytest.mark.headway
def test_default():
    body()

def test_default_count():
    assert len(calls) == 13
    calls.clear()

@pytest.mark.headway(schedules=5)
def test_own():
    body()

def test_own_count():
    assert len(calls) == 5
""",
    )
    run(pytester, "--headway-schedules=13").assert_outcomes(passed=4)


def test_what_a_scenario_prints_is_heard_only_in_a_replay(pytester: pytest.Pytester) -> None:
    write(pytester, MARKED.replace("    overdraw()", "    print('do' + 'ne')\n    overdraw()"))
    result = run(pytester)
    assert "\ndone\n" not in result.stdout.str()
    again = run(pytester, f"--headway-replay={token_in(result)}")
    assert again.stdout.str().count("\ndone\n") == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("@pytest.mark.headway(7)\ndef test_x():\n    pass\n", "takes its options by name, not (7,)"),
        ("@pytest.mark.headway(schedule=7)\ndef test_x():\n    pass\n", "there is no option 'schedule'"),
        ("@pytest.mark.headway(schedules=0)\ndef test_x():\n    pass\n", "schedules=0: how many at most"),
        (
            "import unittest\n@pytest.mark.headway\nclass TestX(unittest.TestCase):\n    def test_x(self): pass\n",
            "methods of unittest.TestCase",
        ),
        (
            "from hypothesis import given, strategies as st\n@pytest.mark.headway\n@given(st.integers())\n"
            "def test_x(n):\n    pass\n",
            "hypothesis runs it many times itself",
        ),
    ],
)
def test_what_cannot_be_a_scenario_fails_and_says_why(
    pytester: pytest.Pytester, body: str, reason: str
) -> None:
    write(pytester, body)
    result = run(pytester)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert reason in result.stdout.str()


@pytest.fixture
def as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.delenv("PYTEST_PLUGINS")


def test_an_unused_plugin_loads_nothing_of_check(pytester: pytest.Pytester, as_installed: None) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_loaded():
            assert "headway.pytest_plugin" in sys.modules
            assert not [name for name in sys.modules if name.startswith(("headway.check", "headway.run"))]
        """
    )
    run(pytester).assert_outcomes(passed=1)


def test_the_mark_is_listed(pytester: pytest.Pytester, as_installed: None) -> None:
    run(pytester, "--markers").stdout.fnmatch_lines("@pytest.mark.headway(schedules=1000, *")


def test_a_deadlock_is_shown_without_frames_of_ours(pytester: pytest.Pytester) -> None:
    write(
        pytester,
        """
@pytest.mark.headway
def test_two_locks():
    a, b = threading.Lock(), threading.Lock()
    def one():
        with a:
            with b:
                pass
    def two():
        with b:
            with a:
                pass
    run(one, two)
""",
    )
    result = run(pytester, "--tb=short")
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "ScheduleFailure: deadlock: 2 threads wait for each other" in text
    assert re.search(r"holds lock a \(test_bank\.py:\d+\)\n +waits for lock b", text)
    assert "_hookexec" not in text
    assert "explore.py" not in text


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="not for every Python: once is enough")
def test_a_hang_of_what_cannot_be_controlled_is_an_error_with_its_line(pytester: pytest.Pytester) -> None:
    write(
        pytester,
        """
import socket

@pytest.mark.headway
def test_socket():
    one, other = socket.socketpair()
    try:
        run(lambda: one.recv(1))
    finally:
        one.close()
        other.close()
""",
    )
    result = run(pytester, "-p", "no:threadexception", "-W", "ignore")
    result.assert_outcomes(failed=1)
    assert re.search(r"CannotControl: .* has been at test_bank\.py:\d+ for", result.stdout.str())
