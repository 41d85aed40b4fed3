"""Findings: verdicts on a trace, each with its evidence and its written thresholds."""

from __future__ import annotations

from typing import Protocol

from headway.trace.findings.finding import Finding
from headway.trace.findings.gil_bound import GilBound
from headway.trace.findings.lock_convoy import LockConvoy
from headway.trace.gil import Gil
from headway.trace.locks import Lock
from headway.trace.model import Trace

__all__ = ["FINDERS", "Finder", "Finding", "GilBound", "LockConvoy", "findings_of"]


class Finder(Protocol):
    """Looks for one kind of finding."""

    def find(self, trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
        """Findings of its kind; none if in doubt."""


FINDERS: tuple[Finder, ...] = (GilBound(), LockConvoy())


def findings_of(trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
    """All findings, the one that cost most first."""
    found = [finding for finder in FINDERS for finding in finder.find(trace, gils, locks)]
    return sorted(found, key=lambda finding: -finding.weight_ns)
