"""deadlock, through several processes: threads wait in a circle for locks of `multiprocessing`.

Anybody may release such a lock, too. So of each wait in the circle one of the proofs of `deadlock` must be there: it is
for the end of a thread or of a process, for an RLock, or the source says that the owner stands where it will release
the lock itself. That nobody else is left is no proof here: there may be other processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from headway.trace.afar import Waiting, circles
from headway.trace.figures import duration
from headway.trace.findings.finding import Finding
from headway.trace.format import AFAR, Flag, Kind
from headway.trace.locks import Lock, is_rlock
from headway.trace.model import Process, Thread, Trace
from headway.trace.shared import Shared
from headway.trace.slots import Slots
from headway.trace.source import Sources
from headway.trace.stacks import Frame, own_frame, short_path
from headway.trace.standstill import RUNS_NS, place_of
from headway.units import FindingKind, Severity


@dataclass(frozen=True, slots=True)
class _Party:
    """A thread in the circle, and what it waits for."""

    thread: Thread
    process: Process
    wait: Waiting
    frames: tuple[Frame, ...]
    lock: Lock | None


def deadlocks_afar(trace: Trace, locks: list[Lock]) -> Iterator[Finding]:
    """The deadlocks that lead through several processes, or through locks that several have; none if in doubt."""
    if not any(int(thread.slot["now_d"]) == AFAR and thread.life.open for thread in trace.threads):
        return
    sources = Sources(trace.meta.cwd, trace.meta.start_unix_s or 0.0)
    for circle in _settled(trace, {part: lock for lock in locks for part in lock.parts}):
        proofs = [_proof(trace, sources, one, owner) for one, owner in _pairs(circle)]
        if None not in proofs:
            yield _finding(trace, circle, proofs)


def _pairs(circle: list[_Party]) -> Iterator[tuple[_Party, _Party]]:
    for i, one in enumerate(circle):
        yield one, circle[(i + 1) % len(circle)]


def _settled(trace: Trace, locks: dict[tuple[int, int], Lock]) -> Iterator[list[_Party]]:
    """The circles of which all waits were there before the owners were read, and are there still."""
    last = {process.images[-1]: process for process in trace.processes if process.images}
    here = [index for index in last if trace.images[index].flags & Flag.STACKS]
    try:
        slots = [Slots(trace.images[index].path) for index in here]
        alive = [one.read() for one in slots]
        found = circles(list(zip(slots, alive, strict=True)), Shared(trace.directory))
        again = [one.read() for one in slots]
    except OSError:
        return
    for circle in found:
        parties = []
        for wait in circle:
            at, number = wait.node
            index = here[at]
            thread, slot = trace.thread(index, number), again[at].get(number)
            old_ns = last[index].end_ns - (RUNS_NS if last[index].runs else 0)
            if thread is None or slot is None or slot.since_ns != wait.since_ns or wait.since_ns > old_ns:
                break
            lock = None if wait.lock is None else locks.get((index, wait.lock))
            parties.append(_Party(thread, last[index], wait, trace.stacks[index][wait.stack], lock))
        if len(parties) == len(circle) and _end_ns(trace, parties) >= _start_ns(parties):
            yield parties


def _start_ns(circle: list[_Party]) -> int:
    return max(one.wait.since_ns for one in circle)


def _end_ns(trace: Trace, circle: list[_Party]) -> int:
    """Until when all of them have waited. When a process was killed may not be known."""
    known = [one.process.end_ns for one in circle if one.process.ended or one.process.runs]
    return min(known, default=trace.end_ns)


def _proof(trace: Trace, sources: Sources, one: _Party, owner: _Party) -> str | None:
    """Why nobody but the thread that this one waits for can end its wait; None if that is not known."""
    if one.wait.kind in (Kind.JOIN, Kind.PROCESS):
        return ""
    made = one.lock.made if one.lock is not None else ()
    if is_rlock(made):
        return "an RLock, which nobody else can release"
    taken = sources.taken(one.frames)
    hold = sources.hold(owner.frames, taken | sources.born(made)) if taken else None
    if hold is None:
        return None
    return f"by `{hold.text}` at {short_path(hold.file, trace.meta.cwd)}:{hold.line}"


def _finding(trace: Trace, circle: list[_Party], proofs: list[str | None]) -> Finding:
    waited_ns = _end_ns(trace, circle) - _start_ns(circle)
    own = [own_frame(one.frames) for one in circle]
    joins = any(one.wait.kind in (Kind.JOIN, Kind.PROCESS) for one in circle)
    return Finding(
        kind=FindingKind.DEADLOCK,
        severity=Severity.ERROR,
        sentence=f"{_sentence(circle)}, for {duration(waited_ns)}",
        evidence=[
            _told(trace, one, owner, proof)
            for (one, owner), proof in zip(_pairs(circle), proofs, strict=True)
        ],
        advice=_advice(circle, joins=joins),
        start_ns=_start_ns(circle),
        end_ns=_end_ns(trace, circle),
        weight_ns=waited_ns * len(circle),
        units=[one.thread.id for one in circle],
        locks=list(dict.fromkeys(one.lock.id for one in circle if one.lock is not None)),
        where=list(dict.fromkeys(frame.where for frame in own if frame is not None)),
    )


def _name(party: _Party) -> str:
    return f"`{party.thread.name}` of process {party.process.pid}"


def _sentence(circle: list[_Party]) -> str:
    if len(circle) == 1:
        return f"{_name(circle[0])} waits for a lock that it holds itself"
    names = [_name(one) for one in circle[:3]]
    more = f" and {len(circle) - 3} more" if len(circle) > 3 else ""
    told = f"{', '.join(names[:-1])} and {names[-1]}" if not more else ", ".join(names) + more
    in_circle = " in a circle" if len(circle) > 2 else ""
    return f"{len(circle)} threads wait for each other{in_circle}: {told}"


def _told(trace: Trace, one: _Party, owner: _Party, proof: str | None) -> str:
    if one.wait.kind == Kind.PROCESS:
        told = f"{_name(one)} waits for the end of process {owner.process.pid}"
    elif one.wait.kind == Kind.JOIN:
        told = f"{_name(one)} waits for the end of {_name(owner)}"
    elif one is owner:
        told = f"{_name(one)} waits for a lock that it has taken itself"
    else:
        lock = f"the {one.lock.name(trace.meta.cwd)}" if one.lock is not None else "a lock"
        told = f"{_name(one)} waits for {lock}, which {_name(owner)} holds"
    place = place_of(one.frames, trace.meta.cwd)
    return told + (f" ({proof})" if proof else "") + (f"; at {place}" if place else "")


def _advice(circle: list[_Party], *, joins: bool) -> str:
    if len(circle) == 1:
        return "do not call what takes a lock while holding it; or make it an RLock, which its owner may take again"
    if joins:
        return "release the lock before waiting for the end of what needs it, or wait with a timeout"
    return (
        "take these locks in the same order everywhere; or take the second one with a timeout, and then release "
        "the first one, too"
    )
