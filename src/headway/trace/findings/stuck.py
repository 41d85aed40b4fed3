"""stuck: a process in which every thread waits for what only another one of them could do, without a circle."""

from __future__ import annotations

from headway.trace.figures import count, duration
from headway.trace.findings.deadlock import deadlocks_of
from headway.trace.findings.finding import Finding
from headway.trace.format import Flag, Kind, ThreadFlag
from headway.trace.gil import Gil
from headway.trace.locks import Lock
from headway.trace.model import Trace
from headway.trace.standstill import Standstill, standstills
from headway.trace.waitfor import Blocked
from headway.units import FindingKind, Severity

_TOLD = 6
"""So many threads are told one by one; those that wait at the same place once."""


class Stuck:
    """Finds processes that cannot go on by themselves.

    All of these must hold: every thread waits, without a time limit and for longer than
    `standstill.LONG_NS`, for a lock, a condition, an event, a queue, a future or the end of a thread, none of
    them shared with another process; it has no handlers of signals; there is no deadlock that would say more;
    and the main thread does not look as if it waited for Ctrl-C: not for an event, nor inside a `try` with
    `except KeyboardInterrupt`.
    """

    def find(self, trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
        """See `Finder`."""
        return [finding for still in standstills(trace, locks) for finding in stuck_of(still)]


def stuck_of(still: Standstill) -> list[Finding]:
    """The finding of one process, if it is stuck."""
    if not still.closed or _waits_for_interrupt(still) or deadlocks_of(still):
        return []
    return [_finding(still)]


def _waits_for_interrupt(still: Standstill) -> bool:
    for one in still.graph.blocked.values():
        thread = still.thread(one.number)
        if thread is not None and int(thread.slot["flags"]) & ThreadFlag.MAIN:
            return one.kind == Kind.EVENT or still.sources.awaits_interrupt(still.frames(one))
    return False


def _finding(still: Standstill) -> Finding:
    blocked = [still.graph.blocked[number] for number in sorted(still.graph.blocked)]
    waited_ns = still.waited_ns(blocked)
    if len(blocked) == 1:
        sentence = (
            f"the only thread{still.whose} waits for {still.what(blocked[0])}, and there is no other that "
            f"could let it go on, for {duration(waited_ns)}"
        )
    else:
        sentence = (
            f"all {len(blocked)} threads{still.whose} wait for what only another one of them could do, "
            f"for {duration(waited_ns)}"
        )
    return Finding(
        kind=FindingKind.STUCK,
        severity=Severity.WARNING,
        sentence=sentence,
        evidence=_evidence(still, blocked),
        advice=(
            "look for the thread that should have released, put, set or notified: it has ended, or waits itself"
        ),
        start_ns=max(one.since_ns for one in blocked),
        end_ns=still.process.end_ns,
        weight_ns=waited_ns,
        units=still.units(blocked),
        locks=still.lock_ids(blocked),
        where=still.where(blocked),
    )


def _evidence(still: Standstill, blocked: list[Blocked]) -> list[str]:
    groups: dict[tuple[object, ...], list[Blocked]] = {}
    for one in blocked:
        groups.setdefault((one.kind, still.frames(one) or one.number, still.what(one)), []).append(one)
    told = []
    for group in list(groups.values())[:_TOLD]:
        one, place = group[0], still.place(group[0])
        others = f" and {count(len(group) - 1, 'more thread')} like it" if len(group) > 1 else ""
        told.append(
            f"{still.name(one.number)}{others}: waits for {still.what(one)}{_held(still, one)}"
            + (f"; at {place}" if place else "")
        )
    if len(groups) > _TOLD:
        told.append(f"and others at {count(len(groups) - _TOLD, 'more place')}")
    if still.image.flags & Flag.FORKED and any(
        one.kind == Kind.LOCK and one.owner is None for one in blocked
    ):
        told.append(
            "the process was forked: a lock that another thread of its parent held at that moment is held here "
            "for ever"
        )
    return told


def _held(still: Standstill, one: Blocked) -> str:
    """Who has what a thread waits for, as far as that says more than who waits."""
    if one.kind != Kind.LOCK or one.lock is None:
        return ""
    owner = int(still.image.locks[one.lock]["owner"])
    holder = still.thread(owner - 1) if owner else None
    if holder is None:
        return ", whose owner is not known" if int(still.image.locks[one.lock]["identity"]) == 2 else ""
    ended = ", which has ended" if int(holder.slot["end_ns"]) else ""
    return f", held by `{holder.name}`{ended}"
