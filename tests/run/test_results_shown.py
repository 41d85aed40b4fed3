"""Results say in few words what they are, where they are computed and how far, and are not read by that."""

from __future__ import annotations

import functools
import itertools
import subprocess
import sys
from pathlib import Path

import headway


def square(number: int) -> int:
    return number * number


def test_results_that_nobody_has_read_say_on_what_they_will_run() -> None:
    results = headway.map(square, range(3), on="threads")
    assert repr(results) == "<Results of square on threads: not begun>"
    assert repr(headway.map(functools.partial(square), [1])) == "<Results of square on auto: not begun>"
    assert list(results) == [0, 1, 4]


def test_results_say_how_many_calls_are_done_and_of_how_many() -> None:
    results = headway.map(square, range(3), on="serial")
    assert next(results) == 0
    assert repr(results) == "<Results of square on serial: 1 of 3 done>"
    assert list(results) == [1, 4]
    assert repr(results) == "<Results of square on serial: 3 of 3 done, ended>"
    endless = headway.map(lambda number: number, itertools.count(), on="serial")
    assert next(endless) == 0
    assert repr(endless) == "<Results of <lambda> on serial: 1 done>"
    endless.close()
    assert repr(endless) == "<Results of <lambda> on serial: 1 done, ended>"


def test_what_auto_has_chosen_is_shown_and_the_kind_of_an_executor() -> None:
    results = headway.map(square, range(3))
    assert list(results) == [0, 1, 4]
    assert repr(results) == "<Results of square on serial: 3 of 3 done, ended>"
    with headway.Executor("threads") as executor:
        assert repr(headway.map(square, [1], on=executor)) == "<Results of square on Executor: not begun>"


def test_the_results_of_a_pipeline_show_its_steps() -> None:
    line = headway.pipeline(range(3)) | headway.step(square, on="threads") | headway.step(str, on="serial")
    results = line.results()
    assert repr(results) == "<Results of square on threads | str on serial: not begun>"
    assert list(results) == ["0", "1", "4"]
    assert repr(results) == "<Results of square on threads | str on serial: 3 of 3 done, ended>"


FAILING = """
import headway

def square(number):
    return number * number

def test_equal():
    assert headway.map(square, range(3), on="threads") == [0, 1, 4]

def test_in():
    results = headway.map(square, range(3), on="serial")
    assert 5 in results
"""


def test_an_assertion_that_fails_shows_them(tmp_path: Path) -> None:
    (tmp_path / "test_failing.py").write_text(FAILING)
    command = [sys.executable, "-m", "pytest", "-vv", "-p", "no:cacheprovider", str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path).stdout
    lines = [line.removeprefix("E").strip() for line in shown.splitlines() if line.startswith("E ")]
    assert "assert <Results of square on threads: not begun> == [0, 1, 4]" in lines
    assert "assert 5 in <Results of square on serial: 3 of 3 done, ended>" in lines
