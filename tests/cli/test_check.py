"""`headway check`: what it writes, where, and how it exits."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Headway = Callable[..., "CompletedProcess[str]"]

BANK = """
import threading


class Account:
    def __init__(self, balance):
        self.balance = balance
        self.lock = threading.Lock()

    def withdraw(self, amount):
        if self.balance >= amount:
            self.balance -= amount


def run(*functions):
    threads = [threading.Thread(target=function, name=f"unit-{n}") for n, function in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""
SCENARIO = """

def scenario():
    print("from the scenario")
    account = Account(100)
    run(lambda: account.withdraw(60), lambda: account.withdraw(60))
    assert account.balance >= 0
"""
FINE = """

def scenario():
    lock = threading.Lock()
    run(lock.locked, lock.locked)
"""


@pytest.fixture
def bank(tmp_path: Path) -> Callable[[str], Path]:
    def write(body: str) -> Path:
        path = tmp_path / "bank.py"
        path.write_text(BANK + body)
        return path

    return write


def test_a_finding_is_the_answer_then_the_schedule_then_one_command(
    headway: Headway, bank: Callable[[str], Path]
) -> None:
    bank(SCENARIO)
    result = headway("check", "bank.py::scenario", "--seed", "5")
    assert (result.returncode, result.stderr) == (1, "")
    lines = result.stdout.splitlines()
    assert re.fullmatch(
        r"AssertionError in scenario: assert account.balance >= 0 +\(schedule \d+ of 1000, seed 5\)",
        " ".join(lines[:2]) if "(schedule" in lines[1] else lines[0],
    )
    assert any(line.startswith("> ") for line in lines)
    assert any(line.startswith("! ") for line in lines)
    assert re.fullmatch(r"replay: headway check --replay 1:[0-9a-f]{6}:\S+ bank\.py::scenario", lines[-1])
    assert max(map(len, lines[:-1])) <= 80
    assert "\x1b" not in result.stdout
    assert "from the scenario" not in result.stdout


def test_the_command_that_is_named_shows_it_again(headway: Headway, bank: Callable[[str], Path]) -> None:
    bank(SCENARIO)
    first = headway("check", "bank.py")
    again = headway(*first.stdout.splitlines()[-1].removeprefix("replay: headway ").split())
    assert again.returncode == 1
    assert "(replayed)" in again.stdout
    assert again.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]
    assert set(again.stderr.splitlines()) == {"from the scenario"}


def test_a_module_is_found_from_where_one_is(headway: Headway, bank: Callable[[str], Path]) -> None:
    bank(SCENARIO)
    result = headway("check", "bank:scenario")
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1].endswith(" bank:scenario")


def test_no_failure_says_how_much_was_looked_at_and_how_to_look_further(
    headway: Headway, bank: Callable[[str], Path]
) -> None:
    bank(
        FINE + "\n\ndef wide():\n    lock = threading.Lock()\n    def work():\n        for _ in range(4):\n"
        "            with lock:\n                pass\n    run(work, work, work)\n"
    )
    result = headway("check", "bank.py::wide", "--schedules", "20", "--granularity", "sync")
    assert (result.returncode, result.stderr) == (0, "")
    first, second, last = result.stdout.splitlines()
    assert first == "no failure in 20 schedules at granularity sync (budget ended)"
    assert re.fullmatch(r"  bank\.py::wide: [\d.]+ s(, [\d,]+ schedules/s)?, seed 0", second)
    assert last == ("more: headway check --schedules 200 --seconds 100 --granularity sync bank.py::wide")
    small = headway("check", "bank.py::scenario", "--granularity", "sync")
    assert re.match(r"no failure in all \d+ schedules at granularity sync: exhausted\n", small.stdout)
    assert small.stdout.splitlines()[-1] == "more: headway check bank.py::scenario"


def test_a_replay_of_a_mended_program_says_that_it_does_not_fail_or_left_the_path(
    headway: Headway, bank: Callable[[str], Path]
) -> None:
    bank(SCENARIO)
    first = headway("check", "bank.py")
    replay = first.stdout.splitlines()[-1].removeprefix("replay: headway ").split()
    lock = "        with self.lock:\n            if self.balance >= amount:\n                self.balance -= amount\n"
    path = bank(SCENARIO)
    path.write_text(
        path.read_text().replace(
            "        if self.balance >= amount:\n            self.balance -= amount\n", lock
        )
    )
    again = headway(*replay)
    assert again.returncode in (0, 4)
    if again.returncode == 0:
        assert again.stdout.startswith("no failure: the schedule was followed to its end\n")

    path.write_text(BANK + "\n\ndef scenario():\n    pass\n")
    gone = headway(*replay)
    assert (gone.returncode, gone.stdout) == (4, "")
    assert "the program changed since the schedule was recorded" in gone.stderr
    assert "hint: explore again without the token" in gone.stderr


def test_a_file_stands_for_all_its_scenarios(headway: Headway, bank: Callable[[str], Path]) -> None:
    bank(
        SCENARIO
        + "\n\ndef check_fine():\n    run(int)\n\n\ndef helper():\n    raise KeyError\n"
        + "\n\ndef check_more(n):\n    raise KeyError\n"
    )
    result = headway("check", "bank.py")
    assert result.returncode == 1
    answers = result.stdout.split("\n\n")
    assert "AssertionError in scenario" in result.stdout
    assert "bank.py::check_fine: " in answers[-1]
    assert "KeyError" not in result.stdout


def test_the_only_function_needs_no_name(headway: Headway, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        "def transfer():\n    raise KeyError('a')\n\n\ndef _inner():\n    pass\n"
    )
    result = headway("check", "one.py")
    assert result.returncode == 1
    assert result.stdout.startswith("KeyError in scenario: 'a'")
    (tmp_path / "two.py").write_text("def one():\n    pass\n\n\ndef two():\n    pass\n")
    several = headway("check", "two.py")
    assert (several.returncode, several.stdout) == (2, "")
    assert several.stderr == "error: two.py: which function?\nhint: two.py::one or two.py::two\n"


def test_what_cannot_be_controlled_is_an_error_and_the_other_scenarios_are_checked(
    headway: Headway, bank: Callable[[str], Path]
) -> None:
    bank(
        "\n\ndef check_first():\n    import socket\n    one, other = socket.socketpair()\n"
        "    run(lambda: one.recv(1))\n\n\ndef check_second():\n    run(int)\n"
    )
    result = headway("check", "bank.py")
    assert result.returncode == 3
    assert result.stdout.startswith("cannot check bank.py::check_first\n")
    assert "no failure" in result.stdout
    alone = headway("check", "bank.py::check_first")
    assert (alone.returncode, alone.stdout) == (3, "")
    assert re.match(r"error: unit-0 has been at bank\.py:\d+ for ", alone.stderr)


def test_one_schedule_of_each_class_is_no_proof_and_the_next_command_looks_otherwise(
    headway: Headway, bank: Callable[[str], Path]
) -> None:
    bank(FINE)
    result = headway("check", "bank.py", "--strategy", "dpor")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert re.match(
        r"no failure in \d+ schedules at granularity access \(dpor has no more to try\)", lines[0]
    )
    assert "this is no proof" in result.stdout
    assert lines[-1] == "more: headway check bank.py::scenario"
    (fine,) = json.loads(headway("check", "bank.py", "--strategy", "dpor", "--json").stdout)["scenarios"]
    assert (fine["exhausted"], fine["reduced"]) == (False, True)


def test_json_is_one_document(headway: Headway, bank: Callable[[str], Path]) -> None:
    bank(SCENARIO + "\n\ndef check_fine():\n    run(int)\n")
    result = headway("check", "bank.py", "--json")
    assert (result.returncode, result.stderr) == (1, "")
    document = json.loads(result.stdout)
    assert document["headway"] == 1
    failed, fine = document["scenarios"]
    assert (failed["scenario"], failed["outcome"], failed["kind"]) == (
        "bank.py::scenario",
        "failure",
        "exception",
    )
    assert failed["replay"] == f"headway check --replay {failed['token']} bank.py::scenario"
    assert failed["failed"]["file"] == "bank.py"
    assert {"unit": 1, "name": "unit-0"} in failed["units"]
    withdrawals = [step for step in failed["steps"] if step["text"] == "self.balance -= amount"]
    assert sorted(step["write"] for step in withdrawals) == [False, False, True, True]
    assert withdrawals[-1]["value"] == "-20"
    assert (fine["scenario"], fine["outcome"], fine["exhausted"]) == ("bank.py::check_fine", "ok", True)


def test_html_writes_a_page_beside_the_text(
    headway: Headway, bank: Callable[[str], Path], tmp_path: Path
) -> None:
    bank(SCENARIO)
    result = headway("check", "bank.py", "--html", "report.html")
    assert result.returncode == 1
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "self.balance -= amount" in page
    assert result.stdout.splitlines()[-1].removeprefix("replay: ") in page


def test_colour_is_for_terminals_that_want_it(headway: Headway, bank: Callable[[str], Path]) -> None:
    bank(SCENARIO)
    assert "\x1b" not in headway("check", "bank.py").stdout
    forced = headway("check", "bank.py", env={"FORCE_COLOR": "1", "TERM": "xterm-256color"})
    assert "\x1b[31m\x1b[1m" in forced.stdout
    plain = headway("check", "bank.py", env={"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm-256color"})
    assert "\x1b" not in plain.stdout


def test_a_finding_is_told_where_rich_is_missing(bank: Callable[[str], Path], tmp_path: Path) -> None:
    bank(SCENARIO)
    code = (
        "import sys; sys.modules['rich'] = None; from headway.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "check", "bank.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.startswith("AssertionError in scenario")
    assert result.stdout.splitlines()[-1].startswith("replay: headway check --replay ")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["check"], "Missing argument 'SCENARIO'"),
        (["check", "none.py"], "no such file: none.py"),
        (["check", "bank"], "bank: which function?"),
        (["check", "bank.py::nothing"], "bank has no function nothing"),
        (["check", "bank.py::run", "--replay", "junk"], "not a schedule token: 'junk'"),
        (["check", "bank.py", "--replay", "1:000000:AA"], "--replay is for one scenario; bank.py has 2"),
        (["check", "bank.py::scenario", "--strategy", "luck"], "strategy='luck': there is none of that name"),
        (["check", "bank.py::scenario", "--granularity", "word"], "granularity='word'"),
        (["check", "bank.py::scenario", "--carrier", "pigeon"], "carrier='pigeon'"),
        (["check", "bank.py::scenario", "--schedules", "0"], "Invalid value for '--schedules'"),
        (["check", "bank.py::Account"], "a scenario takes no arguments; Account needs balance"),
        (["check", "bank.py::scenario", "--html", "none/x.html"], "--html none/x.html: cannot write there"),
        (["check", "bank.py::scenario", "--html", "."], "--html .: is a directory"),
    ],
)
def test_wrong_usage_is_one_clear_error(
    args: list[str], message: str, headway: Headway, bank: Callable[[str], Path]
) -> None:
    bank(SCENARIO + "\n\ndef scenario_two():\n    pass\n")
    result = headway(*args)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
