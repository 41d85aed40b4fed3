"""gil-bound: several threads had work for several cores, and the GIL let one of them run at a time."""

from __future__ import annotations

from itertools import accumulate

from headway.trace.figures import count, digits, duration, percent
from headway.trace.findings.finding import Finding
from headway.trace.format import Kind
from headway.trace.gil import Gil
from headway.trace.locks import Lock
from headway.trace.model import Process, Trace
from headway.trace.stacks import short_path
from headway.units import FindingKind, Severity

SPAN_NS = 200_000_000
"""A process that lived shorter is not judged: imports and start-up dominate it."""
HELD_SHARE = 0.5
"""The GIL was held for most of the process's life. Below, the program mostly waited for something else."""
WAIT_SHARE = 0.10
"""Threads waited for the GIL for this share of the process's life, together. One thread that wakes up now
and then beside a busy one waits up to 5 ms (the switch interval) each time, and so stays below when it wakes
ten times a second."""
HOLDER_SHARE = 0.05
"""A thread counts as a user of the GIL when it held it for this share of the process's life."""
CORE_WAIT_RATIO = 2.0
"""Threads waited for a core at most so many times as long as for the GIL. Above, the machine was busy with
something else, holders of the GIL were off the core, and that explains the waits."""
DEMAND = 1.25
"""So many threads ran Python or wanted to, on average over the process's life. Two threads that hand work to
each other and take turns come to 1 at most: there is never work for a second core."""
HOLDERS = 2
"""At least two threads must be users: if only one computes, more cores would not help it."""
WAITERS_SHARE = 0.95
"""Told are those who waited longest, as few as make up this share of all waits together."""


class GilBound:
    """Finds processes that the GIL kept to about one core.

    All of these must hold; the constants above say why: the machine has more than one core; the process
    lived `SPAN_NS`; its GIL was held `HELD_SHARE` of that; its threads waited for it `WAIT_SHARE` of that,
    together; `DEMAND` threads on average held or wanted it; `HOLDERS` threads each held it `HOLDER_SHARE` of
    that; and the machine had cores free, by `CORE_WAIT_RATIO`.
    """

    def find(self, trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
        """See `Finder`."""
        if trace.meta.cores == 1:
            return []
        return [self._finding(trace, gil) for gil in gils if self._is_bound(gil)]

    def _is_bound(self, gil: Gil) -> bool:
        span = gil.span_ns
        users = [held for held in gil.held.values() if held >= HOLDER_SHARE * span]
        return (
            span >= SPAN_NS
            and gil.held_ns >= HELD_SHARE * span
            and gil.waited_ns >= WAIT_SHARE * span
            and gil.held_ns + gil.waited_ns >= DEMAND * span
            and len(users) >= HOLDERS
            and sum(int(t.totals[Kind.CPU]) for t in gil.process.threads) <= CORE_WAIT_RATIO * gil.waited_ns
        )

    def _finding(self, trace: Trace, gil: Gil) -> Finding:
        cwd = trace.meta.cwd
        waiters = _waiters(gil)
        cores = f"{digits(trace.cores_used)} of {trace.meta.cores} cores" if trace.meta.cores else ""
        whose = _whose(trace, gil.process)
        sentence = (
            f"{count(len(waiters), 'thread')}{whose} waited {duration(gil.waited_ns)} for the GIL in "
            f"{duration(gil.span_ns)}" + (f"; {cores} used" if cores else "")
        )
        evidence = [f"the GIL was held {percent(gil.held_ns, gil.span_ns)} of the time"]
        where, function = [], ""
        if gil.long_holds:
            frame, own, ns = gil.long_holds[0]
            whole = sum(one[2] for one in gil.long_holds)
            function = "" if own.of_library else own.owner
            place = f"{short_path(own.file, cwd)}:{own.line}"
            called = "" if frame == own else f" (in {frame.function})"
            evidence.append(
                f"{percent(ns, whole)} of the time in long holds ended in {own.owner}{called} at {place}"
            )
            where = [one[1].where for one in gil.long_holds[:3]]
        if trace.meta.cores:
            evidence.append(
                f"estimate: in processes, on {count(trace.meta.cores, 'core')}, {duration(gil.span_ns)} would be "
                f"{duration(_in_processes_ns(gil, trace.meta.cores))} at best, without what it takes to send the work"
            )
        return Finding(
            kind=FindingKind.GIL_BOUND,
            severity=Severity.WARNING,
            sentence=sentence,
            evidence=evidence,
            advice=(
                f"run {function or 'the computing part'} in processes "
                "(concurrent.futures.ProcessPoolExecutor), "
                "or in native code that releases the GIL (NumPy, zlib, hashlib)"
            ),
            start_ns=gil.process.start_ns,
            end_ns=gil.process.end_ns,
            weight_ns=gil.waited_ns,
            units=waiters,
            where=where,
        )


def _waiters(gil: Gil) -> list[int]:
    """Ids of the threads that did the waiting. Of hundreds of short ones, each has a part that is hardly any."""
    longest = sorted(gil.waited, key=lambda id_: -gil.waited[id_])
    together = accumulate(gil.waited[id_] for id_ in longest)
    enough = next(number for number, ns in enumerate(together, 1) if ns >= WAITERS_SHARE * gil.waited_ns)
    return longest[:enough]


def _in_processes_ns(gil: Gil, cores: int) -> int:
    """How long it would take if those who held the GIL ran Python side by side.

    The time in which nobody held it stays (Amdahl 1967). Of the rest, each does no less than its own part, and the
    cores no less than their share of all parts.
    """
    alone_ns = max(gil.span_ns - gil.held_ns, 0)
    return alone_ns + max(max(gil.held.values()), gil.held_ns // cores)


def _whose(trace: Trace, process: Process) -> str:
    return "" if len(trace.processes) == 1 else f" of process {process.pid}"
