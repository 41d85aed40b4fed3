"""Findings: verdicts on a trace, each with its evidence and its written thresholds."""

from __future__ import annotations

from typing import Protocol

from headway.trace.findings.deadlock import Deadlock
from headway.trace.findings.finding import Finding
from headway.trace.findings.gil_bound import GilBound
from headway.trace.findings.leaked import Leaked
from headway.trace.findings.lock_convoy import LockConvoy
from headway.trace.findings.lock_order import LockOrder
from headway.trace.findings.loop_blocked import LoopBlocked
from headway.trace.findings.loop_stuck import LoopStuck
from headway.trace.findings.oversubscribed import Oversubscribed
from headway.trace.findings.pool_starved import PoolStarved
from headway.trace.findings.serial import Serial
from headway.trace.findings.stuck import Stuck
from headway.trace.gil import Gil
from headway.trace.locks import Lock
from headway.trace.model import Trace
from headway.units import FindingKind, Severity

__all__ = [
    "FINDERS",
    "Deadlock",
    "Finder",
    "Finding",
    "GilBound",
    "Leaked",
    "LockConvoy",
    "LockOrder",
    "LoopBlocked",
    "LoopStuck",
    "Oversubscribed",
    "PoolStarved",
    "Serial",
    "Stuck",
    "findings_of",
]


class Finder(Protocol):
    """Looks for one kind of finding."""

    def find(self, trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
        """Findings of its kind; none if in doubt."""


FINDERS: tuple[Finder, ...] = (
    Deadlock(),
    Stuck(),
    LoopStuck(),
    GilBound(),
    LockConvoy(),
    LockOrder(),
    LoopBlocked(),
    Oversubscribed(),
    PoolStarved(),
    Serial(),
    Leaked(),
)


def findings_of(trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
    """All findings: the most severe first, and of those the one that cost most."""
    found = [finding for finder in FINDERS for finding in finder.find(trace, gils, locks)]
    found = [one for one in found if not _is_told(one, found)]
    return sorted(found, key=lambda one: (list(Severity).index(one.severity), -one.weight_ns))


def _is_told(one: Finding, found: list[Finding]) -> bool:
    """Whether a pool that has blocked itself is part of a process that is stuck: then that says it as well."""
    if one.kind is not FindingKind.POOL_STARVED or one.severity is not Severity.ERROR:
        return False
    whole = next((f for f in found if f.kind is FindingKind.STUCK and {*f.units} >= {*one.units}), None)
    if whole is not None:
        whole.evidence.append(one.sentence)
        whole.advice = one.advice
    return whole is not None
