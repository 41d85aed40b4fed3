"""Lanes: time from left to right, one row a thread, each cell the state that filled most of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headway.trace.format import Kind
from headway.trace.interval import KINDS, RUNNING, UNKNOWN, Intervals
from headway.trace.model import Thread, Trace

LETTERS: dict[int, str] = {
    Kind.PYTHON: "P",
    Kind.NATIVE: "N",
    RUNNING: "R",
    Kind.GIL: "G",
    Kind.CPU: "C",
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
            cells = self._cells[thread.id] = np.zeros((KINDS, self.columns), np.float32)
        for kind in np.flatnonzero(np.bincount(rows["kind"], minlength=KINDS)).tolist():
            mine = rows[rows["kind"] == kind]
            start, length = mine["start_ns"], mine["end_ns"] - mine["start_ns"]
            before = np.concatenate([[0], np.cumsum(length)])
            i = np.searchsorted(start, self.edges, "right") - 1
            j = np.maximum(i, 0)
            up_to = np.where(i < 0, 0, before[j] + np.minimum(self.edges - start[j], length[j]))
            cells[kind] += np.diff(up_to)

    def of(self, thread: Thread) -> list[int | None]:
        """The kind that fills most of each column; None where the thread did not live."""
        cells = self._cells.get(thread.id)
        if cells is None:
            return [None] * self.columns
        best, alive = cells.argmax(axis=0), cells.sum(axis=0) > 0
        return [int(kind) if here else None for kind, here in zip(best, alive, strict=True)]


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
