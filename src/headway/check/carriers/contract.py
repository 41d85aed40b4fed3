"""What carries units: OS threads, or greenlets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["Carriers"]


class Carriers(Protocol):
    """Lets one unit run at a time."""

    name: str

    def adopt(self, main: Unit) -> None:
        """The calling thread is the scenario's own unit."""

    def give(self, execution: Execution, unit: Unit) -> None:
        """Prepare a unit: it runs `execution.body(unit)` when it is first switched to."""

    def switch(self, execution: Execution, me: Unit, following: Unit) -> None:
        """Stop here and let another run; returns when somebody switches back."""

    def close(self) -> None:
        """No execution will follow."""
