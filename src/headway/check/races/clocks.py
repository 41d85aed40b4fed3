"""Vector clocks: what each unit knows of what the others have done.

A clock has a count for each unit, by its number; units beyond its end count 0. An access carries its unit and that
unit's count at that time, and has happened before whatever a unit does whose clock has reached that count: an "epoch",
as Flanagan and Freund call it (FastTrack, PLDI 2009, section 3), so that most comparisons look at one number.
"""

from __future__ import annotations

__all__ = ["Clock", "knows", "learn"]

Clock = list[int]


def learn(clock: Clock, other: Clock) -> None:
    """Let a clock know also what another knows."""
    if len(other) > len(clock):
        clock.extend([0] * (len(other) - len(clock)))
    for number, count in enumerate(other):
        if count > clock[number]:
            clock[number] = count


def knows(clock: Clock, unit: int, count: int) -> bool:
    """Has what `unit` did at `count` happened before?"""
    return unit < len(clock) and clock[unit] >= count
