"""The benchmark of pages runs and prints its table. How fast anything is, is no test's business."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from headway.trace.format import Kind
from synthetic import MS, T0, FakeTrace

BENCHMARK = Path(__file__).parents[3] / "benchmarks/view.py"


def test_the_benchmark_prints_a_row_for_each_size(browser: Any) -> None:
    ended = subprocess.run(
        [sys.executable, str(BENCHMARK), "--intervals", "1000", "2000", "--rounds", "1"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    rows = re.findall(r"^ +([\d,]+) +[\d.]+ s +[\d.]+ MB +[\d.]+ s ", ended.stdout, re.MULTILINE)
    assert rows == ["1,000", "2,000"]


def test_the_sums_of_many_short_intervals_are_exact_wherever_one_looks(tmp_path: Path, show: Any) -> None:
    trace = FakeTrace(tmp_path / "trace", end_ns=T0 + 1000 * MS)
    thread = trace.process(end_ns=T0 + 1000 * MS).thread()
    for turn in range(5000):  # 200 us each: of which a part that differs from turn to turn is Python
        thread.then(Kind.PYTHON, 1000 + turn).then(Kind.SLEEP, 199_000 - turn)
    thread.ends()
    page = show(trace.write())
    for first, last in ((0, 5000), (17, 4983), (1000, 1003), (2500, 2500)):
        start, end = first * 200_000, (last + 1) * 200_000 if last < 5000 else 1000 * MS
        python = sum(1000 + turn for turn in range(first, min(last + 1, 5000)))
        shown = page.evaluate(
            """([start, end]) => {
                const { nodes } = window.headway.model, sums = [new Float64Array(20), new Float64Array(20)];
                const lane = [...nodes.values()].find(node => node.type === "thread").lane;
                lane.sum(start, end, sums[0]);
                lane.sumFrom(lane.at(start), start, end, sums[1]);
                return sums.map(one => [one[2], one[12]]);
            }""",
            [start, end],
        )
        assert shown == [[python, end - start - python]] * 2, (first, last)
