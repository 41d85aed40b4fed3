"""Iterative context bounding: all schedules with no preemption, then with one, then with two.

Source: Musuvathi, Qadeer, "Iterative context bounding for systematic testing of multithreaded programs", PLDI 2007. A
choice among units when the one that runs is blocked costs nothing; taking the turn from one that could go on is a
preemption. Differs: among units that share a carrier, as the tasks of a loop, the plain order is that of the loop, and
each departure from it counts; the search is stateless, depth first within a bound. When no schedule of a bound was cut
off by it, there are no more: all schedules have been run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headway.check.ending import Ending
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["Bounded"]


class _Choice:
    """A moment with more than one unit: the one that is being tried, and those that are left."""

    __slots__ = ("left", "taken")

    def __init__(self, taken: int, left: list[int]) -> None:
        self.taken = taken
        self.left = left


class Bounded:
    """Enumerates. `exhausted` is true when nothing is left to try.

    Args:
        most: Preemptions at most; None for all schedules.
    """

    draw = None
    redundant = False
    note = ""

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self.bound = 0
        self.exhausted = False
        self.diverged = ""
        """Why the last execution could not go along the path, if it could not."""
        self._path: list[_Choice] = []
        self._depth = 0
        self._preemptions = 0
        self._cut = False

    def begin(self, execution: Execution) -> None:
        """From the start along the path."""
        self.diverged = ""
        self._depth = 0
        self._preemptions = 0

    def restart(self) -> None:
        """The points have changed: what was tried does not count."""
        self._path = []
        self.bound = 0
        self._cut = False
        self.exhausted = False

    def choose(self, enabled: list[Unit], me: Unit, default: Unit) -> Unit:
        """Along the path, then without preemption."""
        preempts = default is me or default.inner
        depth = self._depth
        self._depth += 1
        if depth < len(self._path):
            if self.diverged:
                return default
            number = self._path[depth].taken
            for unit in enabled:
                if unit.number == number:
                    if preempts and unit is not default:
                        self._preemptions += 1
                    return unit
            # Subtle: no exception, since code of the program would see it, and may catch it.
            self.diverged = f"unit {number} was to go on, and cannot"
            return default
        left = [unit.number for unit in enabled if unit is not default]
        if preempts and self._preemptions >= self.bound:
            self._cut = True
            left = []
        self._path.append(_Choice(default.number, left))
        return default

    def end(self, ending: Ending) -> None:
        """Go to the next path; from the start, if this one led elsewhere."""
        if self.diverged:
            self.restart()
            return
        del self._path[self._depth :]
        while self._path and not self._path[-1].left:
            self._path.pop()
        if self._path:
            last = self._path[-1]
            last.taken = last.left.pop(0)
        elif not self._cut or (self.most is not None and self.bound >= self.most):
            self.exhausted = True
        else:
            self.bound += 1
            self._cut = False
