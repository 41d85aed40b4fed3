"""A unit under control: a thread that runs only when the execution says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["NEVER", "Asks", "Gate", "Unit"]


class Gate(Protocol):
    """Says whether a unit could go on with the operation that it has announced.

    A lock and a unit are gates themselves: an attribute is looked at for each unit at each point.
    """

    @property
    def shut_by(self) -> object:
        """What keeps it shut; None: it is open."""


class Asks:
    """A gate that is open when a function says so, which is given the unit that waits."""

    __slots__ = ("_function", "_unit")

    def __init__(self, function: Callable[[Unit], bool], unit: Unit) -> None:
        self._function = function
        self._unit = unit

    @property
    def shut_by(self) -> object:
        """The function, unless it says so."""
        return None if self._function(self._unit) else self._function


class _Never:
    """A gate that no unit goes through, until its time has come."""

    shut_by = "time"


NEVER = _Never()
HOLDS_NOTHING: Any = frozenset()


class Unit:
    """One thread of a scenario, between its start and its end.

    A unit arrives at a point, announces an operation there, and goes on when it is chosen. Until then others run.

    Args:
        number: 0 for the scenario itself, then in the order of their starts.
        name: As people know it.
        run: What it does; it is called on the carrier.
        daemon: It is not waited for.
    """

    __slots__ = (
        "baton",
        "daemon",
        "deadline_ns",
        "done",
        "gate",
        "greenlet",
        "held",
        "ident",
        "inner_unit",
        "kind",
        "limit",
        "locals",
        "name",
        "number",
        "owner",
        "priority",
        "priority_step",
        "read_clock",
        "run",
        "shut_by",
        "steps",
        "unwinding",
        "variable",
        "where",
        "write",
    )

    inner = False
    """It shares the carrier of another unit, as a task does that of its loop, and is chosen within it."""

    def __init__(self, number: int, name: str, run: Callable[[], object], *, daemon: bool = False) -> None:
        self.number = number
        self.name = name
        self.run = run
        self.daemon = daemon

        # What it is about to do.
        self.steps = 0
        """Points that it has come to. Counts also those where no choice is made, so that a schedule that was recorded
        with other choices in view still fits."""
        self.kind = "start"
        self.owner: object = None
        """The lock, unit, or object with the attribute, that the operation is about."""
        self.variable: object = None
        """Which part of it, for accesses: operations on different variables do not disturb each other."""
        self.write = False
        self.where: Any = None
        """The site of an access."""
        self.gate: Gate | None = None
        """None: it can go on."""
        self.deadline_ns: int | None = None

        self.limit = 0
        """Steps after which others get a turn: it may be spinning."""
        self.read_clock = False
        self.done = False
        self.shut_by: Unit | None = self
        """As a gate, for those who wait for its end: until then it is shut."""
        self.unwinding = False
        """The execution is over, and so is this unit: it runs only what stands in its `finally`."""
        self.locals: dict[object, Any] = {}
        """What `threading.local` objects hold for it, by their identity."""

        self.held: set[Any] = HOLDS_NOTHING
        """The locks that it has, in an execution in which somebody asks for that."""
        self.inner_unit: Unit | None = None
        """Which of those that share its carrier runs now."""

        # The strategy's own.
        self.priority = 0.0
        self.priority_step = -1

        # The carrier's own.
        self.ident = 0
        self.baton: Any = None
        self.greenlet: Any = None

    @property
    def described(self) -> str:
        """As people know it."""
        return f"thread {self.name}" if self.number else self.name

    @property
    def held_by(self) -> Unit:
        """Who waits for a unit's end waits for the unit."""
        return self

    def __repr__(self) -> str:
        return f"<unit {self.number} {self.name}>"
