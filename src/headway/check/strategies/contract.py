"""What a strategy is: it chooses the next unit wherever more than one could go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from headway.check.ending import Ending
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["Plain", "Strategy"]


class Strategy(Protocol):
    """Chooses. One object serves one execution after the other."""

    def begin(self, execution: Execution) -> None:
        """An execution is about to run."""

    def choose(self, enabled: list[Unit], me: Unit, default: Unit) -> Unit:
        """One of `enabled`, which has two at least. `me` has just arrived; `default` is the one without preemption."""

    def end(self, ending: Ending) -> None:
        """The execution is over."""


class Plain:
    """Run on until blocked: the execution that nobody disturbs."""

    def begin(self, execution: Execution) -> None:
        """Nothing to prepare."""

    def choose(self, enabled: list[Unit], me: Unit, default: Unit) -> Unit:
        """The unit that runs, as long as it can."""
        return default

    def end(self, ending: Ending) -> None:
        """Nothing to learn."""
