"""What all units have."""

from __future__ import annotations

from dataclasses import dataclass

from headway.trace.format import Ints
from headway.units import UnitKind


@dataclass(slots=True, kw_only=True)
class Unit:
    """Anything that runs. Times are CLOCK_MONOTONIC ns; `totals` as `states.Life.totals`."""

    id: int
    kind: UnitKind
    name: str
    parent: int | None
    process: int
    pid: int
    start_ns: int
    end_ns: int
    ended: bool
    totals: Ints
