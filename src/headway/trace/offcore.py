"""Off-core time: running time in which a thread was not on a core, told by window and not by moment."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from headway.trace.format import Ints, Kind, Records
from headway.trace.interval import INFERRED, Intervals
from headway.trace.states import Life


class Carver:
    """Cuts off-core time out of running intervals.

    Each window says how much of the running time inside it was not on a core, not when. It is laid at the
    front of the window's running time, in shares of PYTHON and NATIVE; never more than there is.
    """

    def __init__(self, beside: Records | None, life: Life) -> None:
        wide = np.zeros((4, 0), np.int64)
        if beside is not None:
            found = beside[(beside["dur_kind"] & 0xFF) == Kind.OFFCPU]
            start = np.minimum(found["start_ns"], np.uint64(life.end_ns)).astype(np.int64)
            end = start + (found["dur_kind"] >> np.uint64(8)).astype(np.int64)
            high = np.uint64(32)
            ready, other = (
                (found[lo].astype(np.uint64) | found[hi].astype(np.uint64) << high).astype(np.int64)
                for lo, hi in ("ab", "cd")
            )
            wide = np.stack([start, end, ready, other])
        if sum(life.off_core_ns):
            last = int(wide[1].max(initial=life.start_ns))
            wide = np.concatenate(
                [wide, np.array([[last], [life.end_ns], *([n] for n in life.off_core_ns)])], axis=1
            )
        wide[0] = (
            np.maximum(wide[0], np.concatenate([[0], np.maximum.accumulate(wide[1])[:-1]]))
            if wide.size
            else 0
        )
        wide[1] = np.maximum(wide[0], wide[1])
        self._windows = wide
        self._held: list[Intervals] = []

    def add(self, rows: Intervals, until_ns: int | None) -> Iterator[Intervals]:
        """Take rows; give back those of which all windows are complete. `until_ns` None: the last rows."""
        windows = self._windows
        if not windows.shape[1] and not self._held:
            if len(rows):
                yield rows
            return
        done = windows.shape[1] if until_ns is None else int(np.searchsorted(windows[1], until_ns, "right"))
        rows = np.concatenate([*self._held, rows])
        self._held = []
        if until_ns is not None and done < windows.shape[1]:
            cut = int(np.searchsorted(rows["end_ns"], windows[0][done], "right"))
            if cut < len(rows):
                self._held = [rows[cut:]]
                rows = rows[:cut]
        ready, self._windows = windows[:, :done], windows[:, done:]
        if len(rows):
            yield _carve(rows, ready) if done else rows


def _carve(rows: Intervals, windows: Ints) -> Intervals:
    start, end, ready, other = windows
    axes = {kind: _Axis(rows, kind) for kind in (Kind.PYTHON, Kind.NATIVE)}
    lo = {kind: axis.at(start) for kind, axis in axes.items()}
    room = {kind: axis.at(end) - lo[kind] for kind, axis in axes.items()}
    python, native = room[Kind.PYTHON], room[Kind.NATIVE]
    ready = np.clip(ready, 0, python + native)
    both = ready + np.clip(other, 0, python + native - ready)
    share = native / np.maximum(python + native, 1)
    ready_native = np.clip(
        (ready * share).astype(np.int64), np.maximum(0, ready - python), np.minimum(ready, native)
    )
    both_native = np.clip(
        (both * share).astype(np.int64),
        np.maximum(ready_native, both - python),
        np.minimum(ready_native + both - ready, native),
    )
    parts = [rows[(rows["kind"] != Kind.PYTHON) & (rows["kind"] != Kind.NATIVE)]]
    parts.append(axes[Kind.NATIVE].cut(lo[Kind.NATIVE], ready_native, both_native))
    parts.append(axes[Kind.PYTHON].cut(lo[Kind.PYTHON], ready - ready_native, both - both_native))
    carved: Intervals = np.concatenate(parts)
    return carved[np.argsort(carved["start_ns"], kind="stable")]


class _Axis:
    """The time that a thread spent in one kind, as an axis: position 0 is its first moment there."""

    def __init__(self, rows: Intervals, kind: int) -> None:
        self._rows: Intervals = rows[rows["kind"] == kind]
        self._start = self._rows["start_ns"]
        length = self._rows["end_ns"] - self._start
        self._edge = np.concatenate([[0], np.cumsum(length)])

    def at(self, time_ns: Ints) -> Ints:
        """Position of a moment."""
        i = np.searchsorted(self._start, time_ns, "right") - 1
        if not len(self._start):
            return np.zeros(len(time_ns), np.int64)
        j = np.maximum(i, 0)
        inside = self._edge[j] + np.minimum(time_ns - self._start[j], self._edge[j + 1] - self._edge[j])
        return np.where(i < 0, 0, inside)

    def cut(self, lo: Ints, ready: Ints, both: Ints) -> Intervals:
        """Rows of this kind, with [lo, lo+ready) turned to CPU and [lo+ready, lo+both) to OTHER."""
        if not len(self._rows):
            return self._rows
        # a window without time of this kind has nothing to cut, and must not hide its neighbour
        some = both > 0
        lo, ready, both = lo[some], ready[some], both[some]
        edges = np.unique(np.concatenate([self._edge, lo, lo + ready, lo + both]))
        edges = edges[edges <= self._edge[-1]]
        at, to = edges[:-1], edges[1:]
        row = np.searchsorted(self._edge, at, "right") - 1
        out: Intervals = self._rows[row]
        out["start_ns"] = self._start[row] + (at - self._edge[row])
        out["end_ns"] = out["start_ns"] + (to - at)
        if len(lo):
            w = np.searchsorted(lo, at, "right") - 1
            into = np.where(w >= 0, at - lo[np.maximum(w, 0)], np.iinfo(np.int64).max)
            w = np.maximum(w, 0)
            changed = into < both[w]
            out["kind"][changed] = np.where(into < ready[w], Kind.CPU, Kind.OTHER)[changed]
            out["certainty"][changed] = INFERRED
            for name in "abcd":
                out[name][changed] = 0
        return out
