"""Turns: when that of a unit ends and whose is next, when they are given fairly, and that there is no end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from headway.check.bounds import FAIR_TURN, FREE_STEPS, MOST_STEPS, TICK_NS, TURN
from headway.check.ending import Ending, livelock

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["next_turn", "tally"]

# Taken before anything is doubled.
_now = time.monotonic


def next_turn(execution: Execution, me: Unit, enabled: list[Unit]) -> Unit | None:
    """It is the turn of others: they alone are left to choose from. None: the execution has ended."""
    if me.read_clock:
        me.read_clock = False
        execution.now_ns += TICK_NS
    if not tally(execution, me):
        return None
    if len(enabled) > 1 and me in enabled:
        enabled.remove(me)
    later = [unit for unit in enabled if unit.number > me.number]
    return later[0] if later else enabled[0]


def tally(execution: Execution, me: Unit) -> bool:
    """Has it gone on for too long? Then turns are given fairly, and at last there is an end: False."""
    me.limit = me.steps + execution.turn_steps
    taken = sum(unit.steps * (TURN if unit.inner else 1) for unit in execution.units)
    if taken > execution.most_steps:
        execution.end(livelock(execution.live, taken))
        return False
    if execution.ends_at is not None and _now() > execution.ends_at:
        execution.end(Ending("cut"))
        return False
    if taken > MOST_STEPS and execution.grown_long is not None:
        execution.grown_long()
        execution.grown_long = None
    if taken > FREE_STEPS:
        execution.fair = True
        execution.usual = False
        execution.turn_steps = FAIR_TURN
    return True
