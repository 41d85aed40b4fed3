"""What a strategy is: it chooses the next unit wherever more than one could go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from headway.check.ending import Ending
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["Plain", "Strategy", "Systematic"]


class Strategy(Protocol):
    """Chooses. One object serves one execution after the other."""

    @property
    def draw(self) -> Callable[[], float] | None:
        """For an execution in which each choice is any unit, with equal chances: gives numbers from 0 to 1.

        `choose` is not called then, which would take most of the time of a choice. None: it is called.
        """

    def begin(self, execution: Execution) -> None:
        """An execution is about to run."""

    def choose(self, enabled: list[Unit], me: Unit, default: Unit) -> Unit:
        """One of `enabled`, which has two at least. `me` has just arrived; `default` is the one without preemption.

        `enabled` may be the execution's own: it is not to be changed or kept.
        """

    def end(self, ending: Ending) -> None:
        """The execution is over."""


class Systematic(Strategy, Protocol):
    """Tries one schedule after the other, each along a path of choices and then on, until none is left."""

    exhausted: bool
    """Nothing is left to try."""
    redundant: bool
    """The last execution was cut off, since it would have repeated others."""
    diverged: str
    """Why the last execution could not go along its path, if it could not."""

    @property
    def note(self) -> str:
        """What it means that nothing is left to try, if that is less than all schedules."""

    def restart(self) -> None:
        """The points have changed: what was tried does not count."""


class Plain:
    """Run on until blocked: the execution that nobody disturbs."""

    draw: Callable[[], float] | None = None

    def begin(self, execution: Execution) -> None:
        """Nothing to prepare."""

    def choose(self, enabled: list[Unit], me: Unit, default: Unit) -> Unit:
        """The unit that runs, as long as it can."""
        return default

    def end(self, ending: Ending) -> None:
        """Nothing to learn."""
