"""Every example runs, plain and under the tracer, and says the same."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
# The report of `near_duplicates.py`: on which backend and why differs from machine to machine.
REPORT = r"simhash: 40 calls on \w+ \(\d+ at a time\) in .*\n(  .*\n)+"
# Each with arguments that make it short, and what it prints in the end.
RUNS = {
    "mixed.py": (["10"], r"10 pages, 60000 readings, cost \d+\.\d\d, mark 5d48b1a2\n"),
    "railway.py": (["8"], r"(.* at signals\n){8}8 trains left, 8 arrived\n"),
    "dijkstra1965.py": (["8", "100"], r"8 threads, 800 times in the critical section, never two at once\n"),
    "transfer.py": (
        [],
        r"(careless(, replayed)?: AssertionError in scenario: \d+ in all, not 200\n){2}"
        r"(locked(, replayed)?: deadlock: 2 threads wait for each other\n){2}"
        r"ordered: no failure in .* at granularity access.*\n",
    ),
    "crawl.py": ([], r"\d+ pages, \d+ links, 0 broken, never more than 4 requests at a time\n"),
    "near_duplicates.py": (
        ["40"],
        REPORT + r"40 documents, \d+ words\nmost alike: [\w-]+\.py and [\w-]+\.py, \d+ bits\n",
    ),
    "weather.py": (
        ["20"],
        r"fetch: 20 calls on threads\nparse: 20 calls on processes\nstore: 20 calls on serial\n"
        r"20 stations, 29200 readings, the warmest is station-\d+\n",
    ),
}
# Programs for the tracer, which takes any: they must not look as if they had to be written for it.
TRACED = ("mixed.py", "railway.py", "dijkstra1965.py")


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_an_example_runs(name: str) -> None:
    args, expected = RUNS[name]
    result = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *args],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(expected, result.stdout)


@pytest.mark.native
@pytest.mark.parametrize("name", RUNS)
def test_an_example_runs_the_same_under_headway(
    name: str, headway: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    args, expected = RUNS[name]
    result = headway("trace", EXAMPLES / name, *args)
    assert result.returncode == 0
    assert re.fullmatch(expected, result.stdout)
    assert "Traceback" not in result.stderr
    assert "the report failed" not in result.stderr


@pytest.mark.parametrize("threads", [1, 2, 3, 20])
def test_dijkstra_lets_any_number_of_threads_in_and_never_two_at_once(threads: int) -> None:
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / "dijkstra1965.py"), str(threads), "30"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.startswith(f"{threads} threads, {threads * 30} times"), result.stderr


@pytest.mark.parametrize("name", TRACED)
def test_examples_for_the_tracer_need_no_headway(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert not re.search(r"^\s*(import|from) headway", text, re.MULTILINE)
