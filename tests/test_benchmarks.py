"""The benchmarks run and print their tables. How fast anything is, is no test's business."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
PROGRAMS = {path.stem for path in (BENCHMARKS / "programs").glob("*.py")} - {"measured"}


@pytest.mark.native
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_quick_benchmark_prints_a_ratio_for_every_program(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    result = subprocess.run(
        [sys.executable, str(BENCHMARKS / "trace_overhead.py"), "--quick", "--json", str(figures)],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    for name in PROGRAMS:
        ratio = r"\d+\.\d{3} \(\d+\.\d\d-\d+\.\d\d\)"
        assert re.search(rf"^{name} +headway +1 +{ratio} +{ratio} ", result.stdout, re.MULTILINE), (
            result.stdout
        )
    results = json.loads(figures.read_text(encoding="utf-8"))["results"]
    assert set(results) == PROGRAMS
    for tools in results.values():
        assert [tool["tool"] for tool in tools] == ["headway", "plain"]
        assert all(tool["failed"] == "" and tool["traced_runs"][0]["wall_s"] > 0 for tool in tools)


@pytest.mark.native
@pytest.mark.timeout(120)
def test_the_share_of_the_tracer_is_counted_where_perf_is_and_else_it_says_what_to_install(
    tmp_path: Path,
) -> None:
    perf = shutil.which("perf")
    if (
        perf
        and subprocess.run([perf, "record", "-q", "-o", tmp_path / "data", "true"], check=False).returncode
    ):
        perf = None  # it is not allowed here
    script = [sys.executable, str(BENCHMARKS / "trace_share.py"), "--quick", "--only", "turns"]
    found = subprocess.run(
        script,
        env={**os.environ, "PATH": os.path.dirname(perf) if perf else "", "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if perf:
        assert re.search(r"^turns +\d+ +\d+\.\d\d% +\d+\.\d\d%$", found.stdout, re.MULTILINE), found
    else:
        assert (found.returncode, found.stderr) == (
            1,
            "perf is not installed: on Debian, apt-get install linux-perf\n",
        )


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_a_program_of_the_benchmark_checks_its_own_result(name: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark.json"
    result = subprocess.run(
        [sys.executable, "-W", "error", str(BENCHMARKS / "programs" / "measured.py"), name, "4"],
        env={**os.environ, "BENCH_MARK": str(mark)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert json.loads(mark.read_text(encoding="utf-8"))["wall_s"] > 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_quick_benchmark_of_maps_has_right_results_on_every_workload(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    result = subprocess.run(
        [sys.executable, str(BENCHMARKS / "run.py"), "--quick", "--peers", "--json", str(figures)],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    results = json.loads(figures.read_text(encoding="utf-8"))["results"]
    for name, contenders in results.items():
        assert re.search(rf"^{name}: \d+ ", result.stdout, re.MULTILINE), result.stdout
        assert {one["peer"] for one in contenders} <= {"", "headway"}
        for one in contenders:
            if (name, one["contender"]) == ("kill", "headway"):
                # "auto" makes its first calls in the caller's own process, which this one kills.
                assert one["failed"] == "died of SIGKILL"
            else:
                assert one["failed"] == ""
                assert one["rounds"][0]["figure"] > 0
    assert len(results) == 11


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_quick_benchmark_of_check_finds_the_bugs_and_accuses_nobody(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    result = subprocess.run(
        [sys.executable, str(BENCHMARKS / "check.py"), "--quick", "--json", str(figures)],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    said = json.loads(figures.read_text(encoding="utf-8"))
    assert set(said["speed"]) == {"counter", "buffer", "tasks"}
    for tools in said["speed"].values():
        assert all(rate > 0 for rounds in tools.values() for rate, _ in rounds)
    for tool in ("headway", "headway, access"):
        line = said["bugs"][tool]
        assert (line["at_all_seeds"], line["bugs"]) == (3, 3)
        assert (line["accused"], line["correct"], line["no_answer"]) == (0, 1, 0)
        assert re.search(rf"^{tool} +3 of 3 +3 ", result.stdout, re.MULTILINE), result.stdout
    assert said["bugs"]["plain stress"]["accused"] == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_benchmark_of_check_ends_with_its_minutes_and_says_which_part_it_has(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    options = ["--only", "bugs", "--tool", "headway", "--seeds", "1", "--seconds", "1", "--patience", "5"]
    result = subprocess.run(
        [sys.executable, str(BENCHMARKS / "check.py"), *options, "--minutes", "0.05", "--json", str(figures)],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    said = json.loads(figures.read_text(encoding="utf-8"))
    searched, every = said["programs"]["searched"], said["programs"]["of"]
    assert len(said["bugs"]["headway"]["programs"]) == searched < every
    assert f"\n{searched} of {every} programs\n" in result.stdout
