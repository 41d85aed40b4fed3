"""Lanes: time from left to right, one row a thread, each cell a state that it was in there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headway.trace.format import Kind
from headway.trace.interval import KINDS, LOOP, QUEUED, RUNNING, UNKNOWN, Intervals
from headway.trace.model import Thread, Trace

LETTERS: dict[int, str] = {
    Kind.PYTHON: "P",
    Kind.NATIVE: "N",
    RUNNING: "R",
    Kind.GIL: "G",
    Kind.CPU: "C",
    LOOP: "L",
    QUEUED: "Q",
    Kind.LOCK: "l",
    Kind.CONDITION: "c",
    Kind.EVENT: "e",
    Kind.QUEUE: "q",
    Kind.JOIN: "j",
    Kind.FUTURE: "f",
    Kind.SLEEP: "s",
    Kind.IO: "i",
    Kind.PROCESS: "p",
    Kind.OTHER: "o",
    Kind.START: "^",
    UNKNOWN: "?",
}
"""One letter a kind: capitals run or want to run, small letters wait."""

WORDS: dict[int, str] = {
    Kind.PYTHON: "python",
    Kind.NATIVE: "native",
    RUNNING: "running",
    Kind.GIL: "wants GIL",
    Kind.CPU: "wants core",
    LOOP: "wants loop",
    QUEUED: "wants worker",
    Kind.START: "start",
    UNKNOWN: "not known",
    **{kind: kind.name.lower() for kind in Kind if Kind.LOCK <= kind <= Kind.OTHER},
}

STYLES: dict[int, str] = {
    Kind.PYTHON: "bold black on green",
    Kind.NATIVE: "bold black on cyan",
    RUNNING: "bold black on green",
    Kind.GIL: "bold white on red",
    Kind.CPU: "bold black on magenta",
    Kind.LOCK: "bold black on yellow",
    Kind.START: "dim",
    UNKNOWN: "dim",
}
"""Calm where a thread waits for what it should wait for; loud where it runs, or is held up."""
_VISIBLE = 0.02
"""A kind is shown in a cell only if it filled this share of it."""
QUIET = "dim"
"""Style of the other kinds."""


class Lanes:
    """Consumer: how much of each kind fell in each of `columns` equal spans of the trace.

    Memory: columns x kinds x threads.
    """

    def __init__(self, trace: Trace, columns: int) -> None:
        self.columns = columns
        self.edges = np.linspace(trace.start_ns, trace.start_ns + max(trace.wall_ns, 1), columns + 1).astype(
            np.int64
        )
        self._cells: dict[int, NDArray[np.float32]] = {}

    def add(self, thread: Thread, rows: Intervals) -> None:
        """See `model.Consumer`."""
        cells = self._cells.get(thread.id)
        if cells is None:
            cells = self._cells[thread.id] = np.zeros((self.columns, KINDS), np.float64)
        start, end, kind = rows["start_ns"], rows["end_ns"], rows["kind"]
        length = end - start
        # time by kind up to each edge: of the rows that start before it, less what is beyond it
        cuts = np.searchsorted(start, self.edges)
        up_to = np.zeros((len(cuts), KINDS))
        at = 0
        for e, cut in enumerate(cuts.tolist()):
            up_to[e] = up_to[e - 1] if e else 0
            if cut > at:
                up_to[e] += np.bincount(kind[at:cut], length[at:cut], KINDS)
                at = cut
        beyond = np.where(cuts > 0, np.maximum(end[np.maximum(cuts, 1) - 1] - self.edges, 0), 0)
        up_to[np.arange(len(cuts)), kind[np.maximum(cuts, 1) - 1]] -= beyond
        cells += np.diff(up_to, axis=0)

    def of(self, thread: Thread) -> list[int | None]:
        """What to show in each column; None where the thread did not live.

        A cell is a kind that was there. Over neighbouring cells the kinds have their true shares: what a cell
        did not show is carried to the next (error diffusion), so alternation does not hide the smaller one.
        """
        cells = self._cells.get(thread.id)
        if cells is None:
            return [None] * self.columns
        out: list[int | None] = []
        owed = np.zeros(KINDS)
        for column in cells / np.diff(self.edges)[:, None]:
            here = column > _VISIBLE
            if not here.any():
                out.append(None)
                continue
            owed += column
            shown = int(np.where(here, owed, -np.inf).argmax())
            owed[shown] -= column.sum()
            # a kind that is gone is not shown later for what it is still owed
            owed[~here] = 0
            out.append(shown)
        return out


def bar(totals: NDArray[np.int64], width: int) -> list[int]:
    """A life as a bar: `width` cells, kinds in order of `LETTERS`, rounded so that they fill it."""
    order = list(LETTERS)
    whole = int(totals.sum())
    if whole <= 0:
        return []
    exact = [int(totals[kind]) * width / whole for kind in order]
    cells = [int(value) for value in exact]
    for i in sorted(range(len(order)), key=lambda i: cells[i] - exact[i])[: width - sum(cells)]:
        cells[i] += 1
    return [kind for kind, n in zip(order, cells, strict=True) for _ in range(n)]
