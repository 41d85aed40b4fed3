"""The partial order of one execution: what happened before what, and what could have come the other way round.

An *event* is what a unit did in one go, between two moments when others could have been chosen. Events of one unit, and
those that disturb each other, happen one before the other, and so does what follows from that: vector clocks tell it
(see `headway.check.races.clocks`). Two that disturb each other and that nothing else orders are a *reversal*.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from headway.check.races.clocks import Clock, knows, learn
from headway.check.strategies.dpor_operation import (
    FREES,
    TAKES,
    WRITES,
    Name,
    Operation,
    Touched,
    conflict,
    overlapping,
)

__all__ = ["Event", "Order"]


class Event:
    """What a unit did in one go."""

    __slots__ = ("ahead", "clock", "count", "every", "node", "past", "place", "touched", "unit")

    def __init__(
        self, unit: int, count: int, clock: Clock, node: int | None, place: int, ahead: bool
    ) -> None:
        self.unit = unit
        self.count = count
        """Of the unit's events, from 1."""
        self.clock = clock
        self.node = node
        """The choice that it began with, by its number; None if nobody else could go on."""
        self.place = place
        """Of all events."""
        self.ahead = ahead
        """It lies behind the last choice that was known before."""
        self.touched: Touched = {}
        self.every = False
        """It may touch anything."""
        self.past: Clock | None = None
        """Of one that has been announced only: what happens before it in any case."""


class Order:
    """The events, as they are done."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.reversals: list[tuple[Event, Event]] = []
        """Each with an event that lies ahead; this one may have been announced only, and not done."""
        self._last: dict[int, Event] = {}
        self._starters: dict[int, Event] = {}
        self._time: dict[int, Clock] = {}
        self._done: dict[Name, dict[Hashable, dict[int, dict[int, Event]]]] = {}
        """By name, variable, what was done, and unit: the last event that did it."""
        self._every: dict[int, Event] = {}

    def begin(self, unit: int, node: int | None, ahead: bool, every: bool) -> Event:
        """A unit goes on."""
        event = self._event(unit, node, ahead)
        learn(event.clock, self._time.pop(unit, []))
        if every:
            self.touch_everything(event)
        else:
            self._after(event, self._every)
        self.events.append(event)
        self._last[unit] = event
        return event

    def do(self, event: Event, operation: Operation) -> None:
        """It does this."""
        touched = event.touched.setdefault(operation.name, {})
        already = touched.get(operation.variable, 0)
        if already & (operation.how | (WRITES if operation.how != TAKES else 0)):
            return  # nobody has come in between
        touched[operation.variable] = already | operation.how
        self._compare(event, operation)
        variables = self._done.setdefault(operation.name, {})
        variables.setdefault(operation.variable, {}).setdefault(operation.how, {})[event.unit] = event

    def touch_everything(self, event: Event) -> None:
        """It does what may disturb anything."""
        event.every = True
        self._after(event, self._last)
        self._every[event.unit] = event

    def start(self, event: Event, child: int) -> None:
        """It starts a unit."""
        self._starters[child] = event

    def could_have(self, unit: int, operations: Iterable[Operation], ahead: bool, every: bool) -> None:
        """A unit has announced this and not done it; it could have come before what others did."""
        event = self._event(unit, None, ahead)
        event.past = list(event.clock)
        for operation in operations:
            self._compare(event, operation)
        if every:
            self._after(event, self._last)

    def time_goes_on(self, units: Iterable[int]) -> None:
        """Nobody can go on until time has: all that was done happens before what these do now."""
        clock: Clock = []
        for event in self._last.values():
            learn(clock, event.clock)
        self._time.update(dict.fromkeys(units, clock))

    def initials(self, first: Event, second: Event) -> list[int]:
        """Units that can go on in place of `first` so that `second` comes before it.

        They begin what lies in between and does not happen after the first, and then the second: the initials of
        "notdep(e, E).proc(e')" in the paper on source sets. Subtle: of what lies before the end, where one stands that
        was announced only, no more than must come before that; else a unit that went on as it was the only one left,
        and need not have (it sleeps), would seem to begin.
        """
        past = second.past
        begun: dict[int, int] = {}
        units: list[int] = []
        for event in (*self.events[first.place + 1 : second.place], second):
            if event is not second and (
                knows(event.clock, first.unit, first.count)
                or (past is not None and not knows(past, event.unit, event.count))
            ):
                continue
            if event.unit not in begun:
                if not any(knows(event.clock, unit, count) for unit, count in begun.items()):
                    units.append(event.unit)
                begun[event.unit] = event.count
        return units

    def _event(self, unit: int, node: int | None, ahead: bool) -> Event:
        last = self._last.get(unit)
        before = self._starters.get(unit) if last is None else last
        clock: Clock = [] if before is None else list(before.clock)
        clock += [0] * (unit + 1 - len(clock))
        clock[unit] = count = 1 if last is None else last.count + 1
        return Event(unit, count, clock, node, len(self.events), ahead)

    def _compare(self, event: Event, operation: Operation) -> None:
        """Find the last events of other units that this operation disturbs.

        Subtle: who waits for a lock is not compared with who released it, since it could not have gone before, but
        with who took it, although the release has ordered the two. To take it first is the other order.
        """
        every: list[Event] = []
        before: list[Event] = []
        taking: list[Event] = []
        for ways in overlapping(self._done.get(operation.name, {}), operation.variable):
            for how, events in ways.items():
                if not conflict(how, operation.how):
                    continue
                others = [other for unit, other in events.items() if unit != event.unit]
                every += others
                if operation.waits and how == TAKES:
                    taking += others
                elif not (operation.waits and how == FREES):
                    before += others
        self._reversible(event, before)
        self._reversible(event, taking)
        for other in every:
            learn(event.clock, other.clock)

    def _after(self, event: Event, events: dict[int, Event]) -> None:
        others = [other for unit, other in events.items() if unit != event.unit]
        self._reversible(event, others)
        for other in others:
            learn(event.clock, other.clock)

    def _reversible(self, event: Event, others: list[Event]) -> None:
        """An event comes after these; some it does so by nothing but the choices.

        One that comes before it also through another of these is left out: when that one has been reversed, it is seen.
        """
        if not event.ahead or not others:
            return
        free = [other for other in others if not knows(event.clock, other.unit, other.count)]
        for first in free:
            between = (other for other in free if other is not first)
            if not any(knows(other.clock, first.unit, first.count) for other in between):
                self.reversals.append((first, event))
