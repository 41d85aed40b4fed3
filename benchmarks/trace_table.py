"""The table of `trace_overhead.py`, its figures, and which goals were met."""

import math
import statistics
from dataclasses import dataclass

from trace_run import PATIENCE_S, PEERS, Pairs, Sample

GOALS = {"cpu_threads": 1.03, "locks": 1.03, "turns": 1.03, "convoy": 1.03, "producers": 1.03, "pool": 1.03}
GOALS |= {"tasks": 1.10, "greenlets": 1.10, "http_load": 1.10, "stat_loop": 1.10}


@dataclass(frozen=True)
class Ratio:
    """Median and quartiles."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.2f}-{self.high:.2f})"


def ratio(numbers: list[float]) -> Ratio:
    if len(numbers) == 1:
        return Ratio(numbers[0], numbers[0], numbers[0])
    low, median, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return Ratio(median, low, high)


def figures(tool: str, pairs: Pairs) -> dict[str, object]:
    """The numbers of one line."""
    both = list(zip(pairs.traced, pairs.plain, strict=True))
    line: dict[str, object] = {"tool": tool, "runs": len(both), "failed": pairs.failed}
    if not both:
        return line
    if tool in ("viztracer", "yappi"):
        wall = ratio([a.work_wall_s / b.work_wall_s for a, b in both])
        cpu = ratio([a.work_cpu_s / b.work_cpu_s for a, b in both])
    elif tool == "py-spy":
        wall = ratio([a.work_wall_s / b.work_wall_s for a, b in both])
        cpu = ratio([a.cpu_s / b.cpu_s for a, b in both])
    else:
        wall = ratio([a.wall_s / b.wall_s for a, b in both])
        cpu = ratio([a.cpu_s / b.cpu_s for a, b in both])
    # A peer's start and saving: what it takes around the work, less what plain Python takes.
    if tool in PEERS:
        reports = [
            max(a.report_s - b.report_s, 0.0)
            for a, b in both
            if a.report_s is not None and b.report_s is not None
        ]
    else:
        reports = [a.report_s for a in pairs.traced if a.report_s is not None]
    line["wall"], line["cpu"] = wall, cpu
    line["plain_wall_s"] = statistics.median(b.wall_s for b in pairs.plain)
    if tool != "plain":
        line["report_s"] = statistics.median(reports) if reports else None
    return line


def table(results: dict[str, dict[str, Pairs]], *, quick: bool) -> str:
    head = ("program", "tool", "runs", "wall, traced/plain", "CPU, traced/plain", "report", "")
    rows: list[tuple[str, ...]] = [head]
    for name, tools in results.items():
        for number, (tool, pairs) in enumerate(tools.items()):
            line = figures(tool, pairs)
            label = "" if number else name
            if "wall" not in line:
                rows.append((label, tool, "0", "-", "-", "-", pairs.failed))
                continue
            notes = []
            if not number:
                notes.append(f"plain {line['plain_wall_s']:.2f} s")
                wall = line["wall"]
                assert isinstance(wall, Ratio)
                if name in GOALS and not quick:  # a short run is mostly start and end
                    met = "met" if round(wall.median, 2) <= GOALS[name] else "missed"
                    # About twice the standard error of a median: 1.25 sigma / sqrt(n), sigma = 0.74 IQR.
                    assert isinstance(line["runs"], int)
                    error = 2 * 1.25 * 0.74 * (wall.high - wall.low) / math.sqrt(line["runs"])
                    unsure = line["runs"] < 5 or abs(wall.median - GOALS[name]) < error
                    notes.append(f"goal {GOALS[name]:.2f} {met}" + (", within the noise" if unsure else ""))
            if name == "pool" and tool == "yappi":
                notes.append("the parent only: it does not follow processes")
            if pairs.failed:
                notes.append(f"then {pairs.failed}")
            around = line.get("report_s")
            assert around is None or isinstance(around, float)
            report = "" if around is None else f"{around:.1f} s"
            if around == math.inf:
                report = f"> {PATIENCE_S:.0f} s"
            rows.append(
                (
                    label,
                    tool,
                    str(line["runs"]),
                    str(line["wall"]),
                    str(line["cpu"]),
                    report,
                    ", ".join(notes),
                )
            )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    text = []
    for number, row in enumerate(rows):
        text.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number == 0:
            text.append("  ".join("-" * width for width in widths[:-1]))
    return "\n".join(text)


def as_json(results: dict[str, dict[str, Pairs]]) -> dict[str, list[dict[str, object]]]:
    """The figures and every run; what was cut off has null for its report, as what was not measured has."""

    def plainly(value: object) -> object:
        return vars(value) if isinstance(value, Ratio) else None if value == math.inf else value

    def runs(samples: list[Sample]) -> list[dict[str, object]]:
        return [{name: plainly(value) for name, value in vars(sample).items()} for sample in samples]

    return {
        name: [
            {name: plainly(value) for name, value in figures(tool, pairs).items()}
            | {"plain_runs": runs(pairs.plain), "traced_runs": runs(pairs.traced)}
            for tool, pairs in tools.items()
        ]
        for name, tools in results.items()
    }
