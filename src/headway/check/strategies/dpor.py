"""DPOR: one schedule of each class, where schedules that differ only in the order of what commutes are of one class.

Source: dynamic partial order reduction, Flanagan, Godefroid, "Dynamic partial-order reduction for model checking
software", POPL 2005; which unit is to go first so that two steps come in the other order is chosen as in Abdulla,
Aronis, Jonsson, Sagonas, "Source sets: a foundation for optimal dynamic partial order reduction", JACM 2017, algorithm
1; sleep sets, Godefroid, "Partial-order methods for the verification of concurrent systems", LNCS 1032, 1996. Differs:
a step is all that a unit does between two choices, and what it touches is taken from what it did, not from what it was
about to do; so which other orders are to be tried is decided when the execution is over. An execution of which the
sleep set says that it repeats others is cut off. Among units that share a carrier, as the tasks of a loop, nothing is
known of what they touch, and all orders are tried.

That all classes were run is no proof: what is shared and is not seen to be, such as the state of an object that is
written in C, or the moment when the last reference to one goes, makes no steps dependent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.check.ending import Ending
from headway.check.strategies.dpor_history import History
from headway.check.watcher import Watchers

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.strategies.dpor_operation import Touched
    from headway.check.strategies.dpor_order import Event
    from headway.check.unit import Unit

__all__ = ["DPOR"]


class _Node:
    """A choice on the path: who is being tried, who was, and who is to be."""

    __slots__ = ("asleep", "enabled", "inside", "known", "taken", "touched", "tried", "wanted")

    def __init__(
        self, enabled: list[int], taken: int, asleep: dict[int, Touched], known: int, inside: bool
    ) -> None:
        self.enabled = enabled
        self.taken = taken
        self.wanted = list(dict.fromkeys([taken, *enabled])) if inside else [taken]
        """In the order in which they are tried."""
        self.tried: dict[int, Touched | None] = {}
        """And what the step that each did here touches; None: anything."""
        self.touched: Touched | None = None
        """By the step of who is being tried."""
        self.asleep = asleep
        """Those that need not be tried here."""
        self.known = known
        """How many objects had been named by then: these have the same names whoever goes on."""
        self.inside = inside
        """It was among units that share a carrier."""

    @property
    def asleep_after(self) -> dict[int, Touched]:
        """Those that need not go on after the one that is being tried, until something disturbs them."""
        if self.inside:
            return dict(self.asleep)
        tried = {unit: touched for unit, touched in self.tried.items() if touched is not None}
        return {**self.asleep, **tried}

    def did(self, event: Event) -> None:
        """The step of the one that is being tried."""
        # Subtle: what was named in the step itself may have another name when others go first, and is left out. The
        # step's first operation was named before. Where each access is a point, as it is at last, others follow only if
        # the first has left nobody else who can go on, and so disturbs whatever is tried in its place.
        known = {
            name: how
            for name, how in event.touched.items()
            if not isinstance(name, int) or name <= self.known
        }
        self.touched = None if event.every else known

    def done(self) -> bool:
        """Take the next one; true if there is none."""
        self.tried[self.taken] = self.touched
        self.touched = None
        left = (unit for unit in self.wanted if unit not in self.tried and unit not in self.asleep)
        following = next(left, None)
        if following is None:
            return True
        self.taken = following
        return False


class DPOR:
    """Enumerates classes. `exhausted` is true when one schedule of each was run.

    Args:
        blind: Points do not tell what is accessed: all orders are tried.
    """

    draw = None

    def __init__(self, *, blind: bool = False) -> None:
        self._blind = blind
        self._path: list[_Node] = []
        self._depth = 0
        self._history: History
        self._execution: Execution
        self.redundant = False
        """The last execution was cut off, since it would have repeated others."""
        self.diverged = ""
        """Why the last execution could not go along the path, if it could not."""
        self.restart()

    def restart(self) -> None:
        """The points have changed: what was tried does not count."""
        self._path = []
        self.exhausted = False
        self.classes = 0
        """Executions since then that were not cut off."""
        self.repeated = 0
        """And those that were."""
        self.forced = False
        """In one of them a turn ended since it was long, or time went on while somebody could go on."""

    @property
    def note(self) -> str:
        """What it means that nothing is left to try."""
        classes = "the only class" if self.classes == 1 else f"all {self.classes} classes"
        if self.forced:
            return (
                f"dpor: {classes} of schedules that it found were run; "
                "there are more, since threads took long turns, which were ended"
            )
        return f"dpor: {classes} of schedules that it distinguishes were run; this is no proof"

    def begin(self, execution: Execution) -> None:
        """From the start along the path."""
        self.diverged = ""
        self.redundant = False
        self._depth = 0
        self._execution = execution
        self._history = history = History(execution, blind=self._blind, ahead=not self._path)
        watcher = execution.watcher
        execution.watcher = history if watcher is None else Watchers(history, watcher)

    def choose(self, enabled: list[Unit], me: Unit, default: Unit) -> Unit:
        """Along the path, then without preemption, but nobody who is asleep."""
        history = self._history
        inside = default.inner
        if not inside:
            history.stopped()
        depth = self._depth
        self._depth += 1
        if depth < len(self._path):
            chosen = self._follow(depth, enabled)
            if chosen is None:
                return default
        else:
            awake = enabled if inside else [unit for unit in enabled if unit.number not in history.asleep]
            if not awake or history.redundant:
                history.redundant = True
                self._execution.end(Ending("cut"))
                return default
            chosen = default if default in awake else awake[0]
            numbers = [unit.number for unit in enabled]
            self._path.append(_Node(numbers, chosen.number, dict(history.asleep), history.known, inside))
        if inside:
            history.chosen_inside(self._execution.running)
        else:
            history.chosen(chosen, depth)
        return chosen

    def _follow(self, depth: int, enabled: list[Unit]) -> Unit | None:
        """The unit that the path wants here; None if it cannot go on."""
        node = self._path[depth]
        chosen = next((unit for unit in enabled if unit.number == node.taken), None)
        if chosen is None or self.diverged:
            # Subtle: no exception, since code of the program would see it, and may catch it.
            self.diverged = self.diverged or f"unit {node.taken} was to go on, and cannot"
            return None
        if depth == len(self._path) - 1:
            self._history.asleep = node.asleep_after
            self._history.ahead = True
        return chosen

    def end(self, ending: Ending) -> None:
        """Find which other orders are to be tried, and go to the next path; anew, if this one led elsewhere."""
        history = self._history
        self.redundant = history.redundant and not ending.failed
        if self.diverged:
            self.restart()
            return
        history.finish()
        del self._path[self._depth :]
        for event in history.order.events:
            if event.node is not None and event.ahead:
                self._path[event.node].did(event)
        for first, second in history.order.reversals:
            self._reverse(first, second)
        self.forced |= history.forced or self._execution.fair
        if self.redundant:
            self.repeated += 1
        else:
            self.classes += 1
        while self._path and self._path[-1].done():
            self._path.pop()
        self.exhausted = not self._path

    def _reverse(self, first: Event, second: Event) -> None:
        """See to it that the second of two events, or what must come before it, is tried before the first."""
        if first.node is None:
            return  # nobody else could go on
        node = self._path[first.node]
        units = self._history.order.initials(first, second)
        if any(unit in node.wanted or unit in node.asleep for unit in units):
            return
        able = [unit for unit in units if unit in node.enabled]
        if able:
            node.wanted.append(second.unit if second.unit in able else able[0])
        elif units != [second.unit]:  # not to be: what another waits for is among what happens before
            node.wanted += [unit for unit in node.enabled if unit not in node.wanted]
