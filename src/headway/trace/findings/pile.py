"""Piles: units made at one place, again and again, of which none ends and all have nothing to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headway.trace.format import Kind
from headway.trace.stacks import Frame

COUNT = 20
"""So many of them are a pile. Fewer may be helpers that are meant to stay."""
POOLS = 10
"""And so many executors, each of which was given a job."""
SPAN_NS = 200_000_000
"""The last of them was made so long after the first."""
SPAN_SHARE = 0.10
"""And this share of the program's life. Workers of a pool are made as it begins, or as it is first used."""
PARTS = 4
"""From the first of them to the program's end are so many parts of the same length: ..."""
GROWS = 3
"""... in so many of these the pile grew: ..."""
PART_SHARE = 0.1
"""... so much of it was made there."""
OTHER_SHARE = 0.1
"""At most this share of what was made there has ended, or does something: else it may be a line that moves on."""
IDLE_SHARE = 0.5
"""Each has done nothing any more for this share of its life, up to its end; but for those of the last part."""

IDLE = (Kind.CONDITION, Kind.EVENT, Kind.QUEUE, Kind.JOIN, Kind.FUTURE)
"""What idle units wait for. A lock has an owner, a time comes by itself, and input is not the program's to give."""


@dataclass(slots=True)
class Thing:
    """A unit, or an executor.

    Attributes:
        end_ns: Until when it was there.
        idle_ns: Since when it has waited for one thing, without a time limit, until its end; None: it has not.
        waits_at: The program's line where it waits.
        units: Ids of it, or of its workers.
        maker: Id of who made it; None: not known.
        maker_end_ns: Until when that was there.
    """

    start_ns: int
    end_ns: int
    idle_ns: int | None
    kind: Kind | None
    waits_at: Frame | None
    units: Sequence[int]
    maker: int | None = None
    maker_end_ns: int = 0


def piled(things: Sequence[Thing], start_ns: int, end_ns: int, least: int) -> list[Thing]:
    """Those of some things, all made at one place, that pile up; by their start.

    What was made by somebody who is still there and has made fewer than `least` does not count: who has a few, as a
    connection has its writer, may look after them.

    All of these must hold; the constants above say why: `least` of them are idle and were there when the last of them
    came, and no more than `OTHER_SHARE` of all were not; the last came `SPAN_NS`, and `SPAN_SHARE` of the program's
    life, after the first; the pile grew in `GROWS` of `PARTS`; and each has been idle for `IDLE_SHARE` of its life, but
    for the latest.

    Args:
        things: All that were made there.
        start_ns: When the program began.
        end_ns: And ended.
        least: How many of them are a pile.
    """
    things = _left_alone(things, least)
    idle = sorted((one for one in things if one.idle_ns is not None), key=lambda one: one.start_ns)
    if not idle:
        return []
    first_ns, last_ns = idle[0].start_ns, idle[-1].start_ns
    idle = [one for one in idle if one.end_ns >= last_ns]
    if len(idle) < least or len(things) - len(idle) > OTHER_SHARE * len(things):
        return []
    if last_ns - first_ns < max(SPAN_NS, SPAN_SHARE * (end_ns - start_ns)):
        return []
    part_ns = -(-(end_ns - first_ns + 1) // PARTS)
    parts = [(one.start_ns - first_ns) // part_ns for one in idle]
    if sum(parts.count(part) >= PART_SHARE * len(idle) for part in range(PARTS)) < GROWS:
        return []
    older = (one for one, part in zip(idle, parts, strict=True) if part < PARTS - 1)
    return idle if all(idle_ns(one) >= IDLE_SHARE * (one.end_ns - one.start_ns) for one in older) else []


def _left_alone(things: Sequence[Thing], least: int) -> list[Thing]:
    """Those whose maker has ended, or has made many."""
    last_ns = max((one.start_ns for one in things), default=0)
    made: dict[int | None, int] = {}
    for one in things:
        made[one.maker] = made.get(one.maker, 0) + 1
    return [
        one for one in things if one.maker is None or one.maker_end_ns < last_ns or made[one.maker] >= least
    ]


def idle_ns(one: Thing) -> int:
    """For how long it had nothing to do in the end."""
    return one.end_ns - one.idle_ns if one.idle_ns is not None else 0
