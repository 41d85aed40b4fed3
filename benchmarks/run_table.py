"""The tables of `run.py`, and which goals were met."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from run_contenders import PEERS, Contender
from run_workloads import WORKS, expected_count

GOALS = {"tiny": 0.06, "trip": 80.0, "arrays": 0.35, "cold": 150.0, "kill": 0.3}
CLOSE, FAR = 1.15, 2.0
"""`auto` should be as near as this to the best peer; each peer should be as far as this behind somewhere."""
SENDING = ("arrays", "trip", "cold")
"""Where it is the sending to worker processes that is measured."""


@dataclass
class Cell:
    """One contender on one workload: what each round gave."""

    contender: Contender
    rounds: list[dict[str, float]] = field(default_factory=list)
    failed: str = ""
    notes: set[str] = field(default_factory=set)

    def median(self, name: str = "figure") -> float | None:
        found = [figures[name] for figures in self.rounds if name in figures]
        return statistics.median(found) if found else None

    @property
    def worst(self) -> tuple[float, float]:
        """For sorting and comparing: first who keeps most, then who is fastest."""
        figure = self.median()
        return (-(self.median("kept") or 0.0), float("inf") if figure is None else figure)


def best(cells: list[Cell], peer: str = "") -> Cell | None:
    """The best of one library, or of all peers."""
    peers = [peer] if peer else list(PEERS)
    found = [cell for cell in cells if cell.contender.peer in peers and cell.median() is not None]
    return min(found, key=lambda cell: cell.worst, default=None)


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:#.3g}".rstrip(".")


def table_of(row: str, cells: list[Cell], *, quick: bool) -> str:
    work, peer = WORKS[row], best(cells)
    kill = row == "kill"
    first = {"memory": "took, s", "cold": "process, ms", "trip": "99 %, µs", "kill": "kept"}.get(
        row, "first, s"
    )
    again = {"memory": "peak, MB", "cold": "import on, ms", "trip": "median, µs", "kill": "took, s"}.get(
        row, "again, s"
    )
    rows = [("contender", first, again, "ratio", "rounds", "")]
    ours = [cell for cell in cells if cell.contender.peer in ("", "headway")]
    theirs = sorted((cell for cell in cells if cell not in ours), key=lambda cell: cell.worst)
    for cell in ours + theirs:
        figure, ratio = cell.median(), ""
        beside = cell.median({"trip": "p99", "kill": "kept"}.get(row, "first"))
        if figure is not None and peer is not None and (not kill or peer.worst[0] == cell.worst[0]):
            ratio = f"{figure / peer.worst[1]:.2f}"
        notes = sorted(cell.notes - {"long"}) + ([cell.failed] if cell.failed else [])
        if cell is peer:
            notes.insert(0, "best peer")
        if not cell.rounds and not cell.failed:
            notes.append("not measured: interrupted before")
        shown = "-" if beside is None else f"{beside:.0f}" if kill else number(beside)
        rows.append(
            (cell.contender.name, shown, number(figure), ratio, str(len(cell.rounds)), "; ".join(notes))
        )
    widths = [max(len(line[column]) for line in rows) for column in range(len(rows[0]))]
    lines = [f"{row}: {expected_count(row, quick=quick)} {work.what}", ""]
    for place, line in enumerate(rows):
        cells_of = [
            text.ljust(width) if column in (0, 5) else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(cells_of).rstrip())
        if not place:
            lines.append("  ".join("-" * width for width in widths[:-1]))
    return "\n".join(lines)


def goals(table: dict[str, list[Cell]], peers: list[str]) -> list[str]:
    """What was to be reached, each met or missed."""

    def ours(row: str, on: str) -> Cell:
        name = f"headway {on}".strip()
        return next(cell for cell in table[row] if cell.contender.name == name)

    def said(what: str, met: bool) -> str:
        return f"{'met   ' if met else 'missed'}  {what}"

    # What was interrupted before it ran has missed nothing.
    table = {
        row: cells
        for row, cells in table.items()
        if all(c.rounds or c.failed for c in cells if c.contender.peer == "headway")
    }
    lines = []
    for row, on in {"tiny": "", "trip": "processes", "arrays": "processes", "cold": "processes"}.items():
        if row in table:
            figure, unit = ours(row, on).median(), WORKS[row].unit
            met = figure is not None and figure <= GOALS[row]
            lines.append(said(f"{row}: {number(figure)} {unit}, goal {GOALS[row]:g} {unit}", met))
            peer = best(table[row])
            if row == "trip" and figure is not None and peer is not None:
                ratio = figure / peer.worst[1]
                lines.append(said(f"trip: {ratio:.2f} of {peer.contender.name}, goal 0.5", ratio <= 0.5))
    if "kill" in table:
        cell = ours("kill", "processes")
        kept, took_s = cell.median("kept") or 0, cell.median()
        met = kept == 19 and took_s is not None and took_s < GOALS["kill"]
        lines.append(said(f"kill: {kept:.0f} kept in {number(took_s)} s, goal 19 in {GOALS['kill']} s", met))
    for row, cells in table.items():
        peer, auto = best(cells), ours(row, "")
        if peer is None:
            continue
        figure = auto.median()
        if figure is None or (row == "kill" and auto.worst[0] > peer.worst[0]):
            lines.append(said(f"auto, {row}: {auto.failed or 'kept fewer'}", False))
        else:
            ratio = figure / peer.worst[1]
            lines.append(
                said(f"auto, {row}: {ratio:.2f} of {peer.contender.name}, goal {CLOSE}", ratio <= CLOSE)
            )
    lines += [
        said(*loses(name, table)) for name in peers if any(best(cells, name) for cells in table.values())
    ]
    return lines


def loses(peer: str, table: dict[str, list[Cell]]) -> tuple[str, bool]:
    """Where a peer is furthest behind headway, at its best against our best."""
    behind: dict[str, float] = {}
    for row, cells in table.items():
        # Where all use worker processes, `auto` may have none: no comparison.
        pinned = [cell for cell in cells if row not in SENDING or cell.contender.name != "headway"]
        theirs, ours = best(cells, peer), best(pinned, "headway")
        failed = any(cell.failed for cell in cells if cell.contender.peer == peer)
        if theirs is None and ours is not None and failed:
            behind[row] = float("inf")
        if theirs is not None and ours is not None:
            fewer = theirs.worst[0] > ours.worst[0]
            behind[row] = float("inf") if fewer else theirs.worst[1] / ours.worst[1]
    if not behind:
        return f"{peer}: nothing to compare", False
    row = max(behind, key=lambda row: behind[row])
    text = (
        "it fails or keeps fewer"
        if behind[row] == float("inf")
        else f"{behind[row]:.1f} times headway's best"
    )
    return f"{peer} loses most in {row}: {text}, goal {FAR:g} times somewhere", behind[row] >= FAR
