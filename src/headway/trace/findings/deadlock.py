"""deadlock: threads wait for each other in a circle, and nobody else can let one of them go on.

A lock of Python may be released by any thread, so that its owner waits is not enough. One of these must be seen
of every wait in the circle, or else of the whole process that nobody is left who could do anything
(`Standstill.closed`):

- it is a join: only the end of the other thread can end it;
- it is for an RLock, which nobody but its owner can release;
- the source says that the waiting thread takes the lock as one takes a lock (`with lock`, `lock.acquire()`),
  and that its owner is at a place where it will release it itself: inside `with lock`, or between `acquire()`
  and `release()` of one function. Who waits for its own lock must not name it there, as who takes it twice to wait
  for a signal does, or who hands it to a function that takes it.
"""

from __future__ import annotations

from headway.trace.figures import count, duration
from headway.trace.findings.deadlock_afar import deadlocks_afar
from headway.trace.findings.finding import Finding
from headway.trace.format import Kind
from headway.trace.gil import Gil
from headway.trace.locks import Lock, is_rlock
from headway.trace.model import Trace
from headway.trace.stacks import short_path
from headway.trace.standstill import Standstill, standstills
from headway.trace.waitfor import Blocked
from headway.units import FindingKind, Severity

_TOLD = 8
"""So many threads of a circle are told one by one."""


class Deadlock:
    """Finds circles of threads that wait for each other for ever. The module says when that is sure."""

    def find(self, trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
        """See `Finder`."""
        found = [finding for still in standstills(trace, locks) for finding in deadlocks_of(still)]
        return [*found, *deadlocks_afar(trace, locks)]


def deadlocks_of(still: Standstill) -> list[Finding]:
    """The deadlocks of one process."""
    found = []
    for circle in still.graph.circles():
        proofs = [_proof(still, one) for one in circle]
        # Who waits for what it has taken itself may as well wait for a signal: that needs a proof of its own.
        if None not in proofs or (still.closed and len(circle) > 1):
            found.append(_finding(still, circle, proofs))
    return found


def _proof(still: Standstill, one: Blocked) -> str | None:
    """Why nobody but the thread that this one waits for can end its wait; None if that is not known."""
    if one.kind == Kind.JOIN:
        return ""
    if is_rlock(still.made(one)):
        return "an RLock, which nobody else can release"
    owner = still.graph.blocked[one.owner] if one.owner is not None else one
    taken = still.sources.taken(still.frames(one))
    if not taken:
        return None
    names = taken | still.sources.born(still.made(one))
    hold = still.sources.hold(still.frames(owner), names)
    if hold is None or (owner is one and hold.used):
        return None
    return f"by `{hold.text}` at {short_path(hold.file, still.trace.meta.cwd)}:{hold.line}"


def _finding(still: Standstill, circle: tuple[Blocked, ...], proofs: list[str | None]) -> Finding:
    waited_ns = still.waited_ns(circle)
    behind = still.graph.behind(circle)
    evidence = [_told(still, one, proof) for one, proof in zip(circle[:_TOLD], proofs, strict=False)]
    if len(circle) > _TOLD:
        evidence.append(f"and so on, for {count(len(circle) - _TOLD, 'more thread')}")
    if None in proofs:
        threads = "thread" if len(still.graph.alive) == 1 else f"{len(still.graph.alive)} threads"
        evidence.append(
            f"all {threads} of the process wait without a time limit, and it has no signal handlers: "
            "nobody is left who could release anything"
        )
    if behind:
        evidence.append(f"{count(len(behind), 'thread')} behind them: {still.crowd(behind)}")
    return Finding(
        kind=FindingKind.DEADLOCK,
        severity=Severity.ERROR,
        sentence=_sentence(still, circle) + f", for {duration(waited_ns)}",
        evidence=evidence,
        advice=_advice(circle),
        start_ns=max(one.since_ns for one in circle),
        end_ns=still.process.end_ns,
        weight_ns=waited_ns * len(circle),
        units=still.units(circle),
        locks=still.lock_ids(circle),
        where=still.where(circle),
    )


def _sentence(still: Standstill, circle: tuple[Blocked, ...]) -> str:
    if len(circle) == 1:
        return f"{still.name(circle[0].number)}{still.whose} waits for a lock that it holds itself"
    names = f": {still.crowd(list(circle), at_most=3)}" if len(circle) > 2 else ""
    in_circle = " in a circle" if len(circle) > 2 else ""
    if len(circle) == 2:
        names = f": {still.name(circle[0].number)} and {still.name(circle[1].number)}"
    return f"{len(circle)} threads{still.whose} wait for each other{in_circle}{names}"


def _told(still: Standstill, one: Blocked, proof: str | None) -> str:
    owner = one.owner if one.owner is not None else one.number
    place = still.place(one)
    told = f"{still.name(one.number)} waits for {still.what(one)}"
    if one.kind != Kind.JOIN and owner != one.number:
        told += f", which {still.name(owner)} holds"
    if proof:
        told += f" ({proof})"
    return told + (f"; at {place}" if place else "")


def _advice(circle: tuple[Blocked, ...]) -> str:
    if len(circle) == 1:
        return "do not call what takes a lock while holding it; or make it an RLock, which its owner may take again"
    if any(one.kind == Kind.JOIN for one in circle):
        return "release the lock before joining a thread that needs it, or join with a timeout"
    return (
        "take these locks in the same order everywhere; or take the second one with a timeout, and then release "
        "the first one, too"
    )
