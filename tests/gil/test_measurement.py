"""What is made of an interpreter's times, and of programs that are none."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from headway.errors import CannotObserve
from headway.gil.measurement import Measurement, Series, measure
from headway.gil.table import lines, verdict


def rows(*seconds: float, cores: float | None = 1.0) -> list[dict[str, Any]]:
    used = [] if cores is None else [cores]
    return [{"workers": n, "seconds": [s], "cores_used": used} for n, s in enumerate(seconds, 1)]


def of(python: Series, native: Series, processes: Series | None, **facts: Any) -> Measurement:
    known = {
        "implementation": "CPython",
        "python": "3.13.0",
        "version": "3.13.0",
        "free_threaded": False,
        "gil": True,
        "switch_interval_s": 0.005,
    }
    return Measurement(Path("/usr/bin/python3"), {**known, **facts}, python, native, processes)


ONE = Series.of(rows(1.0, 2.0))
BOTH = Series.of(rows(1.0, 1.05))
HALF = Series.of(rows(1.0, 1.4))


@pytest.mark.parametrize(
    ("python", "native", "processes", "runs"),
    [
        (ONE, BOTH, BOTH, "one at a time"),
        (BOTH, BOTH, BOTH, "at once"),
        (BOTH, ONE, None, "at once"),
        (HALF, BOTH, BOTH, "in part"),
        (ONE, ONE, ONE, "unknown"),
        (ONE, ONE, BOTH, "one at a time"),
    ],
)
def test_how_threads_run_follows_from_the_times(
    python: Series, native: Series, processes: Series | None, runs: str
) -> None:
    assert of(python, native, processes).runs == runs


def test_the_speed_up_is_the_work_done_in_the_time_of_one() -> None:
    series = Series.of(
        [
            {"workers": 1, "seconds": [1.0, 9.0, 1.1], "cores_used": [1.0, 1.0, 0.9]},
            {"workers": 4, "seconds": [2.2, 2.0, 2.4], "cores_used": []},
        ]
    )
    assert series.speedup == pytest.approx((1.0, 4 * 1.1 / 2.2))
    assert series.cores_used == (1.0, None)
    assert series.told()[1] == {"workers": 4, "speedup": 2.0, "cores_used": None}


def test_a_free_threaded_build_is_told_apart() -> None:
    assert of(BOTH, BOTH, BOTH, free_threaded=True, gil=False).name == "CPython 3.13.0t"
    assert of(ONE, BOTH, BOTH, implementation="PyPy", version="7.3.11").name == "PyPy 7.3.11 (Python 3.13.0)"


def test_the_table_begins_with_the_verdict_and_fits_80_columns() -> None:
    found = [
        of(Series.of(rows(*range(1, 9))), BOTH, None),
        of(BOTH, BOTH, BOTH, free_threaded=True, gil=False),
    ]
    text = list(lines(found, ["/x is no Python"], 8))
    assert text[0].startswith("Threads run Python code at once on CPython 3.13.0t (1.90)")
    assert "not measured:" in text
    assert max(map(len, text)) <= 100
    assert verdict([]) == "No interpreter could be measured"


def program(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "interpreter"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("true", "it printed nothing"),
        ("echo nothing of ours", "nothing of ours"),
        ("echo 'pyenv: python2.7: command not found' >&2; echo more >&2; exit 127", "command not found"),
        (
            "printf 'Traceback (most recent call last):\\n  x\\nImportError: no json\\n' >&2; exit 1",
            "no json",
        ),
    ],
)
def test_a_program_that_is_no_python_is_said_to_be_none(tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(CannotObserve, match=f"no Python that can be measured: .*{said}"):
        measure(program(tmp_path, body), [1, 2])


def test_a_file_that_cannot_be_run_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "interpreter"
    path.write_bytes(b"\x7fELF nothing")
    path.chmod(0o755)
    with pytest.raises(CannotObserve, match="does not run: Exec format error"):
        measure(path, [1, 2])


def test_one_that_hangs_is_given_up_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    path = program(tmp_path, f"sleep 600 & echo $! >> {pids}; echo $$ >> {pids}; wait")
    with pytest.raises(CannotObserve, match="was not done after 1 s"):
        measure(path, [1, 2], timeout_s=1)
    for pid in pids.read_text().split():
        status = Path(f"/proc/{pid}/stat")
        assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] in "ZX"


def test_what_concerns_this_interpreter_is_not_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONPATH", "PYTHONHOME", "LD_PRELOAD"):
        monkeypatch.setenv(name, "")
    facts = {
        "implementation": "CPython",
        "python_threads": rows(1, 1),
        "native_threads": rows(1, 1),
        "processes": None,
    }
    path = program(tmp_path, f"env > {tmp_path}/env; echo banner; echo 'headway-gil {json.dumps(facts)}'")
    found = measure(path, [1, 2])
    assert found.processes is None
    seen = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert not seen & {"PYTHONPATH", "PYTHONHOME", "LD_PRELOAD"}
    assert "PATH" in seen or not os.environ.get("PATH")
