"""lock-convoy: threads queue up at one lock, again and again, while its holder is busy elsewhere."""

from __future__ import annotations

import numpy as np

from headway.trace.figures import count, duration
from headway.trace.findings.finding import Finding
from headway.trace.format import Ints, Kind
from headway.trace.gil import Gil
from headway.trace.interval import STATE_OF, UNKNOWN, Intervals
from headway.trace.locks import Lock
from headway.trace.model import Thread, Trace
from headway.trace.stacks import own_frame, short_path
from headway.units import FindingKind, Reason, Severity, State

SPAN_NS = 200_000_000
"""A process that lived shorter is not judged."""
WAIT_SHARE = 0.10
"""Threads waited for the lock for this share of the process's life, together."""
WAITS = 10
"""So often at least: a lock that holds threads back once (a gate at the start) is no convoy."""
MEAN_WAIT_NS = 100_000
"""A wait took so long on average. Below, it is the cost of a hand-over, not of what the holder does."""
OWNER_KNOWN_SHARE = 0.5
"""For this share of the waiting time it is known who held the lock, and that was another thread. Otherwise it
may be a semaphore. A lock that one thread takes and another releases, as a signal, is never judged."""

_DOING = {
    Reason.PYTHON: "ran Python",
    Reason.NATIVE: "ran native code",
    Reason.GIL: "waited for the GIL",
    Reason.CPU: "waited for a core",
    Reason.SLEEP: "slept",
    Reason.IO: "waited for I/O",
    Reason.PROCESS: "waited for a process",
    Reason.LOCK: "waited for another lock",
    Reason.OTHER: "was off the core",
}


class LockConvoy:
    """Finds locks at which threads lost much time, repeatedly, to a known holder.

    All of these must hold; the constants above say why: it is a lock of the program (not the inner lock of a
    queue, condition, event or the like); the process lived `SPAN_NS`; ended waits took `WAIT_SHARE` of that,
    together, were at least `WAITS`, and took `MEAN_WAIT_NS` each on average; and the holder is known for
    `OWNER_KNOWN_SHARE` of the waiting time.
    """

    def find(self, trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
        """See `Finder`."""
        return [self._finding(trace, lock) for lock in locks if self._is_convoy(lock)]

    def _is_convoy(self, lock: Lock) -> bool:
        span = lock.process.end_ns - lock.process.start_ns
        waits, wait_ns = lock.waits - lock.open_waits, lock.wait_ns - lock.open_wait_ns
        known = sum(e.wait_ns for e in lock.edges if e.owner is not None and e.owner is not e.waiter)
        return (
            lock.proper
            and lock.foreign_posts == 0
            and span >= SPAN_NS
            and waits >= WAITS
            and wait_ns >= WAIT_SHARE * span
            and wait_ns >= MEAN_WAIT_NS * waits
            and known >= OWNER_KNOWN_SHARE * lock.wait_ns
        )

    def _finding(self, trace: Trace, lock: Lock) -> Finding:
        cwd = trace.meta.cwd
        holds = _holds(trace.threads, lock)
        waiters = {e.waiter.id for e in lock.edges if e.waiter is not None}
        by_owner: dict[int, int] = {}
        for edge in lock.edges:
            if edge.owner is not None and edge.owner is not edge.waiter:
                by_owner[edge.owner.id] = by_owner.get(edge.owner.id, 0) + edge.wait_ns
        owners = sorted(by_owner, key=lambda id_: -by_owner[id_])
        meanwhile = _Meanwhile(holds)
        trace.scan(meanwhile, threads=[t for t in trace.threads if t.id in holds])
        evidence, where = [], []
        holder = own_frame(lock.release)
        if holder is not None:
            place = f"{short_path(holder.file, cwd)}:{holder.line}"
            evidence.append(f"held longest by {holder.owner} at {place}, {duration(lock.longest_hold_ns)}")
            where.append(holder.where)
        waiting = own_frame(lock.longest)
        if waiting is not None:
            where.append(waiting.where)
        doing = meanwhile.sentence(trace)
        if doing:
            evidence.append("meanwhile the holder " + doing)
        first = trace.unit(owners[0])
        by = f"`{first.name}`" if len(owners) == 1 else f"{len(owners)} threads in turn"
        return Finding(
            kind=FindingKind.LOCK_CONVOY,
            severity=Severity.WARNING,
            sentence=(
                f"{count(len(waiters), 'thread')} waited {duration(lock.wait_ns)} in "
                f"{count(lock.waits, 'wait')} for the {lock.name(cwd)}, held by {by}"
            ),
            evidence=evidence,
            advice=_advice(meanwhile.most()),
            start_ns=min((int(spans[0, 0]) for spans in holds.values()), default=lock.process.start_ns),
            end_ns=max((int(spans[-1, 1]) for spans in holds.values()), default=lock.process.end_ns),
            weight_ns=lock.wait_ns,
            units=sorted(waiters | set(owners)),
            locks=[lock.id],
            where=where,
        )


def _advice(reason: Reason | None) -> str:
    if reason in (Reason.SLEEP, Reason.IO, Reason.PROCESS):
        return (
            "do the slow call before taking the lock or after releasing it, or keep one resource per thread"
        )
    if reason is Reason.GIL:
        return "the holder itself waits for the GIL: do less under the lock, or compute in processes"
    return "do less under the lock: prepare the work outside it, or split the lock"


def _holds(threads: list[Thread], lock: Lock) -> dict[int, Ints]:
    """When each thread, by id, held a lock while another waited for it: shape (n, 3) ns, disjoint, in order.

    From, to, and for how long of that, which is less where short holds share a record.
    """
    out = {}
    number_in = dict(lock.parts)
    for thread in threads:
        number, records = number_in.get(thread.image_index), thread.image.beside.get(thread.number)
        if number is None or records is None:
            continue
        mine = records[((records["dur_kind"] & 0xFF) == Kind.HOLD) & (records["a"] == number)]
        if len(mine):
            start = mine["start_ns"].astype(np.int64)
            long = (mine["dur_kind"] >> np.uint64(8)).astype(np.int64)
            held = np.where(mine["d"] == 0, long, mine["c"].astype(np.int64))
            out[thread.id] = _union(start, start + long, held)
    return out


def _union(starts: Ints, ends: Ints, held: Ints) -> Ints:
    order = np.argsort(starts, kind="stable")
    starts, ends, held = starts[order], np.maximum.accumulate(ends[order]), held[order]
    first = np.ones(len(starts), bool)
    first[1:] = starts[1:] > ends[:-1]
    last = np.append(np.flatnonzero(first)[1:] - 1, len(starts) - 1)
    starts, ends = starts[first], ends[last]
    held = np.minimum(np.add.reduceat(held, np.flatnonzero(first)), ends - starts)
    return np.stack([starts, ends, held], axis=1)


class _Meanwhile:
    """Consumer: what the holders did while they held the lock and others waited for it."""

    def __init__(self, spans: dict[int, Ints]) -> None:
        self._spans = spans
        self._sums: dict[Reason, int] = {}
        self._places: dict[tuple[Reason, int, int], int] = {}

    def add(self, thread: Thread, rows: Intervals) -> None:
        spans = self._spans[thread.id]
        kind = np.ascontiguousarray(rows["kind"])
        overlap = _overlap(rows, spans)
        touched = np.flatnonzero((overlap > 0) & (kind != UNKNOWN))
        overlap, kind, stack = overlap[touched], kind[touched], rows["b"][touched]
        for one in np.unique(kind).tolist():
            state, reason = STATE_OF[one]
            here = kind == one
            self._sums[reason] = self._sums.get(reason, 0) + int(overlap[here].sum())
            if state is State.RUNNING:
                continue
            ids, which = np.unique(stack[here], return_inverse=True)
            for id_, ns in zip(ids.tolist(), np.bincount(which, overlap[here]).tolist(), strict=True):
                key = (reason, thread.image_index, id_)
                self._places[key] = self._places.get(key, 0) + int(ns)

    def most(self) -> Reason | None:
        """What the holders did most."""
        return max(self._sums, key=lambda reason: self._sums[reason], default=None)

    def sentence(self, trace: Trace) -> str:
        """`slept 40 ms (cache.py:31), ran Python 3.2 ms`."""
        whole = sum(self._sums.values())
        parts = []
        for reason, ns in sorted(self._sums.items(), key=lambda item: -item[1])[:3]:
            if ns < 0.03 * whole or ns == 0:
                continue
            stacks = {(i, s): n for (r, i, s), n in self._places.items() if r is reason and s}
            frame = None
            if stacks:
                index, best = max(stacks, key=lambda stack: stacks[stack])
                frame = own_frame(trace.stacks[index][best])
            place = f" ({short_path(frame.file, trace.meta.cwd)}:{frame.line})" if frame else ""
            parts.append(f"{_DOING.get(reason, f'waited for {reason}')} {duration(ns)}{place}")
        return ", ".join(parts)


def _overlap(rows: Intervals, spans: Ints) -> Ints:
    """For how much of each row the lock was held, ns; spread evenly where short holds share a span."""
    sums = np.concatenate([[0], np.cumsum(spans[:, 2])])
    share = spans[:, 2] / np.maximum(spans[:, 1] - spans[:, 0], 1)

    def up_to(time_ns: Ints) -> Ints:
        i = np.searchsorted(spans[:, 0], time_ns, "right") - 1
        j = np.maximum(i, 0)
        inside = np.minimum(time_ns - spans[j, 0], spans[j, 1] - spans[j, 0])
        return np.where(i < 0, 0, sums[j] + np.rint(inside * share[j]).astype(np.int64))

    return up_to(rows["end_ns"]) - up_to(rows["start_ns"])
