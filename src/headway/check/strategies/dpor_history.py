"""What has happened in an execution, as `dpor` sees it: a watcher that makes events of operations.

An operation is announced, and done when its unit goes on: with whatever follows up to the unit's next point it belongs
to the event that begins there.

Besides what they say, operations are about this: units that start others are numbered and named in their order, so that
all starts disturb each other; the last end of what is no daemon stops the daemons, wherever they are. Time goes on when
nobody can, so it is no operation but a moment that all before it happens before. Whose turn ends, so that another must
come first, may disturb anything, before and after that; so may an operation that does not say what it is about.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from headway.check.doubles.condition import Condition
from headway.check.doubles.condition import Event as Signal
from headway.check.doubles.lock import Lock, RLock
from headway.check.ending import Ending
from headway.check.site import STRUCTURE
from headway.check.strategies.dpor_operation import (
    ADDS,
    FREES,
    READS,
    TAKES,
    WRITES,
    Names,
    Operation,
    Touched,
    default_of,
    disturbs,
)
from headway.check.strategies.dpor_order import Event, Order

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.site import Site
    from headway.check.unit import Unit

__all__ = ["History"]

_STARTS, _DAEMONS = "starts", "daemons"
_NOTHING = frozenset({"start", "sleep"})
"""Kinds of points after which nothing is done that others could notice."""
_LOOKS = frozenset({"join", "locked"})
"""Operations that change nothing, though they are announced as if they did."""


class History:
    """Watches an execution.

    Args:
        execution: It is about to begin.
        blind: Points do not tell what is accessed, so that each event may disturb any other.
        ahead: No choice is fixed by a path.
    """

    def __init__(self, execution: Execution, *, blind: bool, ahead: bool) -> None:
        self._execution = execution
        self._blind = blind
        self.ahead = ahead
        """The choices that the path fixes have been made."""
        self.order = Order()
        self.asleep: dict[int, Touched] = {}
        """Units that need not go on until something disturbs what they would do, and what that touches."""
        self.redundant = False
        """One of these went on."""
        self.forced = False
        """A turn was ended since it was long, or time went on, though others could go on."""
        self._names = Names()
        self._left = {unit.number: unit for unit in execution.units}
        self._event: Event | None = None
        self._next: tuple[int, int] | None = None
        self._pending: dict[int, list[Operation]] = {}
        self._anything: set[int] = set()
        """Units whose next event may disturb anything."""
        self._turn_ended = False

    @property
    def known(self) -> int:
        """How many objects have been named."""
        return self._names.count

    # ---- what the strategy tells ----

    def stopped(self) -> None:
        """Who was running has come to a point where another may go on."""
        event, self._event = self._event, None
        if event is None:
            return
        if self._turn_ended:
            self._turn_ended = False
            self.order.touch_everything(event)
        for number, touched in list(self.asleep.items()):
            if event.every or disturbs(event.touched, touched):
                del self.asleep[number]

    def chosen(self, unit: Unit, node: int) -> None:
        """This unit goes on."""
        self._next = (unit.number, node)

    def chosen_inside(self, carrier: Unit) -> None:
        """Of those that share a unit one was chosen: what the unit does now depends on that."""
        event = self._settle(carrier)
        event.ahead = self.ahead
        self._turn_ended = True

    def finish(self) -> None:
        """The execution is over: what units have announced and not done could have come before its last events."""
        self.stopped()
        for unit in self._left.values():
            self._could_have(unit)
        self._left.clear()
        self._names.forget()

    # ---- as a watcher ----

    def announced(self, unit: Unit) -> None:
        """It is done later, when the unit goes on: what it announced before has been."""
        if unit.inner or self._execution.stopping:
            return
        self._settle(unit)
        operation = self._operation(unit)
        if operation is not None:
            self._pending[unit.number] = [operation]
        self._arrived(unit, gives_way=unit.kind == "yield")

    def accessed(self, unit: Unit, site: Site, owner: object, name: Hashable, write: bool) -> None:
        """Likewise."""
        if self._execution.stopping:
            return
        self._settle(unit)
        if owner is None:
            self._anything.add(unit.number)
        elif len(self._execution.units) > 1:  # else nobody is there who could be disturbed
            pending = [Operation(self._names.of(owner), name, WRITES if write else READS)]
            kind = default_of(owner, name)
            if kind is not None:
                pending.append(Operation(self._names.of(kind), name, ADDS))
            self._pending[unit.number] = pending
        self._arrived(unit, gives_way=False)

    def acquired(self, unit: Unit, owner: object) -> None:
        """It was announced; but a unit may as well give up, or try in vain."""
        if unit.inner or self._execution.stopping:
            return
        if isinstance(owner, Lock | RLock) or hasattr(owner, "free"):
            self._does(unit, Operation(self._names.of(owner), STRUCTURE, TAKES))

    def released(self, unit: Unit, owner: object) -> None:
        """The release of a lock need not have been announced."""
        if unit.inner or self._execution.stopping:
            return
        if isinstance(owner, Lock | RLock):
            self._does(unit, Operation(self._names.of(owner), STRUCTURE, FREES))
        elif getattr(owner, "free", None) == 0:  # what was announced was to give the first permit, or item
            for operation in self._pending.get(unit.number, ()):
                operation.how = FREES

    def started(self, unit: Unit, child: Unit) -> None:
        """A unit has made another, which could go on now."""
        if self._execution.stopping:
            return
        event = self._does(unit, Operation(_STARTS, "", WRITES))
        self.order.start(event, child.number)
        if not child.inner:
            self._left[child.number] = child

    def ended(self, unit: Unit) -> None:
        """Who waits for its end can go on."""
        if unit.inner or self._execution.stopping:
            return
        self._left.pop(unit.number, None)
        self._does(unit, Operation(("unit", unit.number), STRUCTURE, FREES))
        if not self._execution.awaited:
            self._does(unit, Operation(_DAEMONS, "", WRITES))

    def joined(self, unit: Unit, other: Unit) -> None:
        """It was announced."""

    def elapsed(self, units: list[Unit]) -> None:
        """All that has happened has happened before what these do now."""
        self.stopped()
        for unit in units:
            self._could_have(unit)
            for operation in self._pending.get(unit.number, ()):
                operation.waits = False  # it gives up now, whether or not somebody frees what it waited for
        self.order.time_goes_on([unit.number for unit in units])
        self.forced |= any(_can_go_on(unit) for unit in self._execution.live if unit not in units)

    # ---- what is made of it ----

    def _operation(self, unit: Unit) -> Operation | None:
        """What a unit has announced; None: nothing that others notice."""
        kind, owner = unit.kind, unit.owner
        if kind in _NOTHING:
            return None
        if owner is None:
            self._anything.add(unit.number)
            return None
        if kind == "release" and isinstance(
            owner, Lock | RLock
        ):  # of one that is no point only `released` tells
            return Operation(self._names.of(owner), STRUCTURE, FREES)
        looks = not unit.write or kind in _LOOKS or (kind == "wait" and isinstance(owner, Condition | Signal))
        return Operation(
            self._names.of(owner), STRUCTURE, READS if looks else WRITES, waits=unit.gate is not None
        )

    def _arrived(self, unit: Unit, *, gives_way: bool) -> None:
        execution = self._execution
        # One of the others comes first now. Since that is so only because the unit was the last to do something, what
        # it has just done, and does next, does not commute with anything.
        if (
            (gives_way or unit.steps >= unit.limit)
            and _can_go_on(unit)
            and any(_can_go_on(other) for other in execution.live if other is not unit)
        ):
            self._turn_ended = True
            self._anything.add(unit.number)
            self.forced |= not gives_way
        if self.redundant:
            execution.end(Ending("cut"))

    def _settle(self, unit: Unit) -> Event:
        """What it announced is done; the event that this belongs to."""
        event = self._event
        if event is None or event.unit != unit.number:
            self.stopped()
            event = self._event = self._begin(unit)
        for operation in self._pending.pop(unit.number, ()):
            self.order.do(event, operation)
        return event

    def _does(self, unit: Unit, operation: Operation) -> Event:
        event = self._settle(unit)
        self.order.do(event, operation)
        return event

    def _begin(self, unit: Unit) -> Event:
        number = unit.number
        node = self._next[1] if self._next is not None and self._next[0] == number else None
        self._next = None
        self.redundant |= number in self.asleep
        event = self.order.begin(number, node, self.ahead, self._may_do_anything(unit))
        self._anything.discard(number)
        if unit.daemon:
            self.order.do(event, Operation(_DAEMONS, "", READS))
        return event

    def _could_have(self, unit: Unit) -> None:
        operations = list(self._pending.get(unit.number, ()))
        if unit.daemon:
            operations.append(Operation(_DAEMONS, "", READS))
        self.order.could_have(unit.number, operations, self.ahead, self._may_do_anything(unit))

    def _may_do_anything(self, unit: Unit) -> bool:
        return self._blind or unit.number in self._anything


def _can_go_on(unit: Unit) -> bool:
    return unit.gate is None or unit.gate.shut_by is None
