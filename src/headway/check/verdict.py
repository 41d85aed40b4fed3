"""What an exploration can say of a scenario that did not fail."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Verdict"]


@dataclass(frozen=True)
class Verdict:
    """No schedule that was run has failed. Says how many, and whether there are more."""

    schedules: int
    exhausted: bool
    """All schedules at this granularity were run; else the budget ended, or see `reduced`."""
    seconds: float
    granularity: str
    seed: int
    races: tuple[str, ...] = field(default=())
    """Pairs of accesses that nothing orders, a line each; it says whether it can go wrong with the GIL, too. They did
    not lead to a failure."""
    notes: tuple[str, ...] = field(default=())
    """What was not under control, and what `reduced` means."""
    reduced: bool = False
    """One schedule of each class that the strategy `dpor` distinguishes was run; this is no proof."""

    def __str__(self) -> str:
        noun = "schedule" if self.schedules == 1 else "schedules"
        if self.exhausted:
            every = "the only schedule" if self.schedules == 1 else f"all {self.schedules} {noun}"
            first = f"no failure in {every} at granularity {self.granularity}: exhausted"
        else:
            ended = "dpor has no more to try" if self.reduced else "budget ended"
            first = f"no failure in {self.schedules} {noun} at granularity {self.granularity} ({ended})"
        return "\n".join([first, *self.races, *(f"note: {note}" for note in self.notes)])
