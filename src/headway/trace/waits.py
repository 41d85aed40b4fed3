"""The longest waits, and those that had not ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headway.trace.format import NOBODY, Io, Kind
from headway.trace.interval import EXACT, INTERVAL, Intervals
from headway.trace.locks import Lock
from headway.trace.model import Thread, Trace
from headway.trace.stacks import Frame


@dataclass(slots=True)
class Wait:
    """One wait of one thread. `end_ns` None: it had not ended when the thread's process did."""

    thread: Thread
    kind: Kind
    start_ns: int
    end_ns: int | None
    on: str | None
    lock: Lock | None
    owner: Thread | None
    woken_by: Thread | None
    frames: tuple[Frame, ...]

    @property
    def ns(self) -> int:
        """How long it took, or had taken."""
        return (self.thread.end_ns if self.end_ns is None else self.end_ns) - self.start_ns


class LongestWaits:
    """Consumer: keeps the longest waits of all threads.

    Args:
        trace: Where they are.
        at_most: How many ended waits to keep.
    """

    def __init__(self, trace: Trace, at_most: int) -> None:
        self._trace = trace
        self._at_most = at_most
        self._best: list[tuple[int, int, Intervals]] = []
        self._floor = 0

    def add(self, thread: Thread, rows: Intervals) -> None:
        """See `model.Consumer`."""
        length = rows["end_ns"] - rows["start_ns"]
        of_interest = (
            (rows["kind"] >= Kind.LOCK) & (rows["kind"] <= Kind.OTHER) & (rows["certainty"] == EXACT)
        )
        of_interest &= length > self._floor
        if _waits_still(thread):
            of_interest &= rows["end_ns"] < thread.end_ns
        where = np.flatnonzero(of_interest)
        if len(where) > self._at_most:
            where = where[np.argpartition(length[where], -self._at_most)[-self._at_most :]]
        for i in where.tolist():
            self._best.append((int(length[i]), thread.id, rows[i].copy()))
        if len(self._best) > self._at_most:
            self._best.sort(key=lambda one: (-one[0], one[1], int(one[2]["start_ns"])))
            del self._best[self._at_most :]
            self._floor = self._best[-1][0]

    def result(self, locks: list[Lock]) -> list[Wait]:
        """Waits that had not ended, then the longest of the others; each part longest first."""
        by_number = {part: lock for lock in locks for part in lock.parts}
        still = []
        for thread in self._trace.threads:
            if not _waits_still(thread):
                continue
            row = np.zeros(1, INTERVAL)[0]
            slot = thread.slot
            row["start_ns"], row["end_ns"], row["kind"] = slot["since_ns"], thread.end_ns, slot["kind"]
            for name in "abcd":
                row[name] = slot[f"now_{name}"]
            still.append(self._wait(thread, row, by_number, ended=False))
        still.sort(key=lambda wait: -wait.ns)
        ended = []
        for _, id_, row in sorted(self._best, key=lambda one: (-one[0], one[1], int(one[2]["start_ns"]))):
            waiter = self._trace.unit(id_)
            assert isinstance(waiter, Thread)
            ended.append(self._wait(waiter, row, by_number, ended=True))
        return still + ended

    def _wait(
        self, thread: Thread, row: Intervals, locks: dict[tuple[int, int], Lock], *, ended: bool
    ) -> Wait:
        kind, a, c = Kind(int(row["kind"])), int(row["a"]), int(row["c"])
        index = thread.image_index
        lock = owner = woken_by = None
        on = None
        if Kind.LOCK <= kind <= Kind.FUTURE:
            lock = locks.get((index, a)) if a != NOBODY else None
            # Who waits for what it has taken itself waits for a signal that another thread gives.
            owner = self._trace.thread(index, c) if c != thread.number else None
            if ended:
                woken_by = self._trace.thread(index, int(row["d"]))
            on = lock.name(self._trace.meta.cwd) if lock is not None else None
        elif kind is Kind.IO:
            what = Io(c).name.lower() if c in list(Io) else "io"
            on = what if a in (0, NOBODY) and c in (Io.POLL, Io.RESOLVE, Io.OPEN) else f"{what} fd {a}"
        elif kind is Kind.PROCESS:
            on = f"process {a}" if a not in (0, NOBODY) else "any child process"
        start, end = int(row["start_ns"]), int(row["end_ns"])
        frames = self._trace.stacks[index][int(row["b"])]
        return Wait(thread, kind, start, end if ended else None, on, lock, owner, woken_by, frames)


def _waits_still(thread: Thread) -> bool:
    """Whether its last state is a wait that had not ended when its process did."""
    slot = thread.slot
    return thread.life.open and Kind.LOCK <= int(slot["kind"]) <= Kind.OTHER and int(slot["since_ns"]) > 0
