"""Who of the ready may be next, and who is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.check.asynchronous.units import CALLBACK, TIMER, YIELD, Timer, Turn

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["take"]


def take(turns: list[Turn | Timer], execution: Execution, last: Unit) -> Turn | Timer | None:
    """Take one out of what is ready; None if all of it was cancelled.

    Args:
        turns: In the order in which they became ready; one at least.
        execution: Chooses.
        last: The unit that went on last.
    """
    if len(turns) == 2:
        # What the rest does, in fewer steps for the most frequent case.
        first, second = turns
        if first.way == CALLBACK or second.way == CALLBACK or first._cancelled or second._cancelled:
            pass
        elif second.way == YIELD and _others_first(second, turns, 1):
            return turns.pop(0)
        else:
            unit = first.unit
            return turns.pop(0 if execution.pick([unit, second.unit], last, unit) is unit else 1)
    units: list[Unit] = []
    places: list[int] = []
    callbacks = cancelled = False
    for place, turn in enumerate(turns):
        if turn._cancelled:
            cancelled = True
            continue
        way = turn.way
        if way == CALLBACK:
            if callbacks:
                continue
            callbacks = True
        elif (callbacks and way != TIMER) or (way == YIELD and place and _others_first(turn, turns, place)):
            continue
        units.append(turn.unit)
        places.append(place)
    if not units:
        turns.clear()
        return None
    place = places[0]
    if len(units) > 1:
        chosen = execution.pick(units, last, units[0])
        if chosen is not turns[place].unit:
            place = next(place for place in places if turns[place].unit is chosen)
    turn = turns.pop(place)
    if cancelled:
        turns[:] = [other for other in turns if not other._cancelled]
    return turn


def _others_first(turn: Turn | Timer, turns: list[Turn | Timer], place: int) -> bool:
    """Has the task of this turn started or woken somebody who is ready since before it gave way?"""
    unit = turn.unit
    for other in turns[:place]:
        if other.by is unit and not other._cancelled:
            return True
        parent = other.unit.parent
        while parent is not None:
            if parent is unit:
                return True
            parent = parent.parent
    return False
