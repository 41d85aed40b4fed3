"""oversubscribed: far more threads wanted to run than there are cores, and it was the program's own doing."""

from __future__ import annotations

import numpy as np

from headway.trace.figures import count, digits, duration, percent
from headway.trace.findings.finding import Finding
from headway.trace.format import Floats, Ints, Kind, ThreadFlag
from headway.trace.gil import Gil
from headway.trace.interval import RUNNING, Intervals
from headway.trace.locks import Lock
from headway.trace.model import Thread, Trace
from headway.units import FindingKind, Severity

DEMAND = 2.0
"""For each core, so many threads were on one or in line for one. A pool with one worker too many, or a main
thread beside as many workers as cores, stays below."""
SPAN_NS = 200_000_000
"""For so long, together. Below, it is a burst, such as many processes that start at once."""
SPAN_SHARE = 0.10
"""And for this share of the program's life."""
OWN_SHARE = 0.75
"""The program itself had this share of all cores meanwhile. Below, others were in the line, too: the machine was
busy with something else, or the program may not use all that it sees (a quota of its container)."""
MOST_SHARE = 1.1
"""And no more than this share. Above, some of it was not on a core: of processes that were killed, and reaped by a call
that does not tell, nobody has read what they used."""
PIECES = 1000
"""The program's life is looked at in so many pieces of equal length."""
CONCERNED = 0.01
"""A thread is named if it had this share of the waiting."""
NATIVE = 0.25
"""The advice is about the threads of a native library if they had this share of the waiting."""


class Oversubscribed:
    """Finds programs that keep far more threads runnable than there are cores.

    All of these must hold; the constants above say why: in pieces of the program's life of `SPAN_NS` and `SPAN_SHARE`
    together, at least `DEMAND` of its threads for each core were running or ready for a core, and its threads used
    `OWN_SHARE` to `MOST_SHARE` of all cores in these pieces. Threads that wait for the GIL are not counted: they
    stand in no line for a core. For how long a thread stood there is the kernel's figure; when, within a window of its
    life, is inferred.
    """

    def find(self, trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
        """See `Finder`."""
        cores, wall_ns = trace.meta.cores, trace.wall_ns
        least_ns = max(SPAN_NS, SPAN_SHARE * wall_ns)
        in_line = {t.id: int(t.totals[Kind.CPU]) for t in trace.threads}
        # With so many in line for each core at all times, the sum is at least this; so most traces need no pass.
        if not cores or wall_ns <= 0 or sum(in_line.values()) < (DEMAND - 1) * cores * least_ns:
            return []
        use = _Use(trace.start_ns, wall_ns)
        trace.scan(use)
        running, ready = use.in_pieces()
        piece_ns = wall_ns / PIECES
        crowded = running + ready >= DEMAND * cores * piece_ns
        span_ns = float(crowded.sum() * piece_ns)
        run_ns, wait_ns = float(running[crowded].sum()), float(ready[crowded].sum())
        if span_ns < least_ns or not OWN_SHARE <= run_ns / (cores * span_ns) <= MOST_SHARE:
            return []
        first, last = np.flatnonzero(crowded)[[0, -1]].tolist()
        threads = [t for t in trace.threads if in_line[t.id] >= CONCERNED * sum(in_line.values())]
        native = [t for t in threads if not int(t.slot["flags"]) & ThreadFlag.PYTHON]
        native_ns = sum(in_line[t.id] for t in native)
        processes = {t.process for t in threads}
        evidence = [
            f"these are {count(len(threads), 'thread')} of {count(len(processes), 'process')}; "
            f"the program used {digits(run_ns / span_ns)} cores meanwhile"
        ]
        if native:
            share = percent(native_ns, sum(in_line.values()))
            evidence.append(f"{share} of the waiting was of threads that never ran Python, as of a BLAS")
        return [
            Finding(
                kind=FindingKind.OVERSUBSCRIBED,
                severity=Severity.WARNING,
                sentence=(
                    f"{digits((run_ns + wait_ns) / span_ns)} threads at a time wanted to run on "
                    f"{count(cores, 'core')}, for {duration(round(span_ns))}; "
                    f"together they stood {duration(round(wait_ns))} in line for one"
                ),
                evidence=evidence,
                advice=_advice(cores, len(processes), native_ns >= NATIVE * sum(in_line.values())),
                start_ns=trace.start_ns + round(first * piece_ns),
                end_ns=trace.start_ns + round((last + 1) * piece_ns),
                weight_ns=round(wait_ns),
                units=sorted((t.id for t in threads), key=lambda id_: -in_line[id_]),
            )
        ]


def _advice(cores: int, processes: int, native: bool) -> str:
    if native and processes > 1:
        return (
            "let the native library have one thread in each worker process: threadpoolctl.threadpool_limits(1), or "
            "OMP_NUM_THREADS=1 in its environment; headway.map does so by itself"
        )
    if native:
        return (
            f"let the native library have {count(cores, 'thread')}: threadpoolctl.threadpool_limits({cores})"
        )
    return f"have as many workers as cores, {cores} here: more of them do not make it faster, and each wants its memory"


class _Use:
    """Consumer: for how long threads were running, and ready for a core, in each piece of the program's life."""

    def __init__(self, start_ns: int, wall_ns: int) -> None:
        self._start_ns = start_ns
        self._piece_ns = wall_ns / PIECES
        self._sums = [_Overlap() for _ in range(2)]

    def add(self, thread: Thread, rows: Intervals) -> None:
        kind = np.ascontiguousarray(rows["kind"])
        running = (kind == Kind.PYTHON) | (kind == Kind.NATIVE) | (kind == RUNNING)
        for which, overlap in zip((running, kind == Kind.CPU), self._sums, strict=True):
            mine = rows[which]
            overlap.add(self._pieces(mine["start_ns"]), self._pieces(mine["end_ns"]))

    def _pieces(self, time_ns: Ints) -> Floats:
        """Times as numbers of pieces since the start."""
        return np.clip((time_ns - self._start_ns) / self._piece_ns, 0, PIECES)

    def in_pieces(self) -> tuple[Floats, Floats]:
        """Running, ready: ns in each piece, shape (PIECES,)."""
        running, ready = (overlap.sums() * self._piece_ns for overlap in self._sums)
        return running, ready


class _Overlap:
    """How much of many intervals lies in each of the pieces [0, 1), [1, 2) and so on."""

    def __init__(self) -> None:
        self._open = np.zeros(PIECES + 1)
        """How many more begin in a piece than end there."""
        self._part = np.zeros(PIECES + 1)
        """What of the piece is after those beginnings, less what is after those ends."""

    def add(self, starts: Floats, ends: Floats) -> None:
        for times, sign in ((starts, 1), (ends, -1)):
            piece = times.astype(np.int64)
            self._open += sign * np.bincount(piece, minlength=PIECES + 1)
            self._part += sign * np.bincount(piece, piece + 1 - times, minlength=PIECES + 1)

    def sums(self) -> Floats:
        before = np.cumsum(self._open) - self._open
        return (before + self._part)[:PIECES]
