"""Replay: the choices of a schedule that was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.check.strategies.contract import Plain
from headway.errors import ReplayDiverged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headway.check.ending import Ending
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["Replaying"]


class Replaying(Plain):
    """Follows deviations from the plain choice.

    Args:
        deviations: (unit, its step) to the unit that goes on there.
        strict: A choice that is not possible is an error; else it is passed over.
    """

    def __init__(self, deviations: Mapping[tuple[int, int], int], *, strict: bool) -> None:
        self._deviations = deviations
        self._strict = strict
        self._execution: Execution | None = None
        self.diverged: str = ""

    def begin(self, execution: Execution) -> None:
        """From the start."""
        self._execution = execution
        self.diverged = ""

    def choose(self, enabled: list[Unit], me: Unit, default: Unit) -> Unit:
        """As it was."""
        number = self._deviations.get((me.number, me.steps))
        if number is None:
            return default
        for unit in enabled:
            if unit.number == number:
                return unit
        if self._strict and not self.diverged:
            assert self._execution is not None
            units = self._execution.units
            name = units[number].name if number < len(units) else f"{number}, which is not there"
            why = "is blocked" if number < len(units) and not units[number].done else "has ended"
            self.diverged = f"at step {me.steps} of {me.name} the schedule runs thread {name}" + (
                f", but it {why}" if number < len(units) else ""
            )
        return default

    def end(self, ending: Ending) -> None:
        """Was all of it followed?"""
        execution = self._execution
        assert execution is not None
        if self._strict and not self.diverged and len(execution.deviations) != len(self._deviations):
            left, all_of_them = len(self._deviations) - len(execution.deviations), len(self._deviations)
            self.diverged = f"{left} of {all_of_them} switches of the schedule were not reached"

    def error(self, recorded: str, now: str) -> ReplayDiverged | None:
        """What to raise, if it left the path."""
        if not self.diverged:
            return None
        changed = (
            f"\nthe program changed since the schedule was recorded (recorded {recorded}, now {now})"
            if recorded != now
            else "\nthe program is the same as when the schedule was recorded, "
            "but does something that the schedule does not fix"
        )
        return ReplayDiverged(
            self.diverged + changed,
            hint="explore again without the token, or check out the recorded revision; `also` must be the same, too"
            if recorded != now
            else "does it use randomness, the time of day, or the order of a set?",
        )
