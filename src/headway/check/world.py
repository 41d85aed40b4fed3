"""What the doubles ask: does the caller run under an execution, and which unit is it?"""

from __future__ import annotations

import _thread
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["here", "world"]

# Taken before anything is doubled.
_get_ident = _thread.get_ident


class World:
    """The one execution that runs now, if any."""

    __slots__ = ("execution", "trace")

    def __init__(self) -> None:
        self.execution: Execution | None = None
        self.trace: Callable[..., Any] | None = None
        """What each unit is traced with; for points before instructions, where Python has nothing better."""


world = World()


def here() -> Unit | None:
    """The unit that calls; None for threads that are not under control, and when nothing is explored."""
    execution = world.execution
    if execution is None or execution.ident != _get_ident():
        return None
    return execution.running
