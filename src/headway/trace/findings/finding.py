"""A verdict with its evidence."""

from __future__ import annotations

from dataclasses import dataclass, field

from headway.units import FindingKind, Severity


@dataclass(slots=True)
class Finding:
    """One verdict.

    Attributes:
        sentence: The verdict, with its figures; stands alone.
        evidence: Further sentences that support it.
        units, locks: Ids of those concerned.
        where: `path:line` of the places concerned, the most telling first.
        advice: What would help.
        weight_ns: About how much time it cost; the heaviest finding comes first.
    """

    kind: FindingKind
    severity: Severity
    sentence: str
    evidence: list[str]
    advice: str
    start_ns: int
    end_ns: int
    weight_ns: int
    units: list[int] = field(default_factory=list)
    locks: list[int] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
