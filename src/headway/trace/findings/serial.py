"""serial: the jobs of a pool ran one after the other, since who gave them waited for each before the next."""

from __future__ import annotations

import numpy as np

from headway.trace.figures import count, duration, percent
from headway.trace.findings.finding import Finding
from headway.trace.format import Kind, PoolKind
from headway.trace.gil import Gil
from headway.trace.interval import Intervals
from headway.trace.locks import Lock
from headway.trace.model import Pool, Thread, Trace
from headway.trace.source import Sources
from headway.trace.stacks import Frame, own_frame, short_path
from headway.units import FindingKind, Severity

JOBS = 10
"""A pool that was given fewer is not judged."""
SIZE = 2
"""A pool that may have one worker is a way to have one at a time."""
SPAN_NS = 200_000_000
"""Its jobs ran for so long, together."""
SPAN_SHARE = 0.10
"""And for this share of the program's life."""
TOGETHER_SHARE = 0.01
"""Two of them ran at once for at most this share of that."""
BESIDE_SHARE = 0.10
"""At most this share of them was submitted while another was in the queue or ran: a worker may be kept from asking for
the next one while its result is used already."""
WAITED_SHARE = 0.5
"""The thread that gave them waited for results for this share of the time in which they ran. One that submits a job now
and then, as a timer does, waits for other things."""

_OF_FUTURES = frozenset({"result", "exception"})
_OF_MULTIPROCESSING = frozenset({"get", "wait", "next"})
"""Calls that wait for a result, and may have a time limit, for which a pool may be there."""


class Serial:
    """Finds pools that are used like plain calls.

    All of these must hold; the constants above say why: the pool may have `SIZE` workers and ran `JOBS` jobs; for
    `SPAN_NS` and `SPAN_SHARE` of the program's life one of them ran, for `TOGETHER_SHARE` of that two; `BESIDE_SHARE`
    of them was submitted beside another; one thread submitted all, outside event loops and other jobs; and it waited
    `WAITED_SHARE` of that time for results, without a time limit that the source shows.
    """

    def find(self, trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
        """See `Finder`."""
        found = []
        for pool in trace.pools:
            giver = _giver(trace, pool) if _is_serial(trace, pool) else None
            if giver is None or int(giver.totals[Kind.FUTURE]) < WAITED_SHARE * pool.some_ns:
                continue
            places = _Places(trace, pool)
            trace.scan(places, threads=[giver])
            frame = places.most
            sources = Sources(trace.meta.cwd, trace.meta.start_unix_s or 0.0)
            calls = _OF_MULTIPROCESSING if pool.of_multiprocessing else _OF_FUTURES
            if places.ns >= WAITED_SHARE * pool.some_ns and not (frame and sources.limits_wait(frame, calls)):
                found.append(_finding(trace, pool, giver, places.ns, frame))
        return found


def _is_serial(trace: Trace, pool: Pool) -> bool:
    return (
        (pool.size or 0) >= SIZE
        and pool.begun >= JOBS
        and pool.some_ns >= max(SPAN_NS, SPAN_SHARE * trace.wall_ns)
        and pool.several_ns <= TOGETHER_SHARE * pool.some_ns
        and pool.beside <= BESIDE_SHARE * pool.jobs
        and not pool.lost
    )


def _giver(trace: Trace, pool: Pool) -> Thread | None:
    """The thread that submitted all jobs; None if they came from several, from tasks or from other jobs."""
    parents = {job.parent for job in pool.jobs_in(trace)}
    giver = trace.unit(parents.pop() or 0) if len(parents) == 1 else None
    return giver if isinstance(giver, Thread) else None


def _finding(trace: Trace, pool: Pool, giver: Thread, waited_ns: int, frame: Frame | None) -> Finding:
    cwd = trace.meta.cwd
    at = f" at {short_path(frame.file, cwd)}:{frame.line}" if frame is not None else ""
    first = pool.first_at
    submitted = f" (submitted at {short_path(first.file, cwd)}:{first.line})" if first is not None else ""
    return Finding(
        kind=FindingKind.SERIAL,
        severity=Severity.NOTE,
        sentence=(
            f"the {count(pool.begun, 'job')} of {pool.title}, which may have {pool.size} workers, ran one after the "
            f"other: {giver.name} waited for each{at} before it submitted the next"
        ),
        evidence=[
            f"one of them ran for {duration(pool.some_ns)}, two at once for {duration(pool.several_ns)}{submitted}",
            f"{giver.name} waited {duration(waited_ns)} for results, {percent(waited_ns, pool.some_ns)} of that time",
        ],
        advice=(
            "submit them all before you wait for the first, or use map(); where each needs what the one before "
            "returned, plain calls do the same"
            + (", unless they are to have a process of their own" if pool.kind is PoolKind.PROCESSES else "")
        ),
        start_ns=pool.start_ns,
        end_ns=pool.end_ns,
        weight_ns=waited_ns,
        units=[giver.id],
        where=[one.where for one in (frame, first) if one is not None],
    )


class _Places:
    """Consumer: where a thread waited for results while a pool was there, and how long.

    Attributes:
        ns: In all.
        most: The program's own line where most of that was.
    """

    def __init__(self, trace: Trace, pool: Pool) -> None:
        self._stacks = trace.stacks[pool.image_index]
        self._start_ns, self._end_ns = pool.start_ns, pool.end_ns
        self._by_stack: dict[int, int] = {}

    def add(self, thread: Thread, rows: Intervals) -> None:
        """See `model.Consumer`."""
        here = (rows["end_ns"] > self._start_ns) & (rows["start_ns"] < self._end_ns)
        some = rows[(rows["kind"] == Kind.FUTURE) & here]
        for stack in np.unique(some["b"]).tolist():
            mine = some[some["b"] == stack]
            ns = int((mine["end_ns"] - mine["start_ns"]).sum())
            self._by_stack[stack] = self._by_stack.get(stack, 0) + ns

    @property
    def ns(self) -> int:
        return sum(self._by_stack.values())

    @property
    def most(self) -> Frame | None:
        known = {stack: ns for stack, ns in self._by_stack.items() if stack}
        return own_frame(self._stacks[max(known, key=lambda stack: known[stack])]) if known else None
