"""The options of an exploration, checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from headway.check.token import GRANULARITIES
from headway.errors import UsageError

__all__ = ["CARRIERS", "STRATEGIES", "Options"]

STRATEGIES = ("auto", "walk", "pct", "pos", "focus", "bounded", "dpor")
CARRIERS = ("threads", "greenlets")


@dataclass(frozen=True)
class Options:
    """What `explore` was asked for.

    Raises:
        UsageError: A value that makes no sense.
    """

    schedules: int = 1000
    seconds: float | None = 10.0
    strategy: str = "auto"
    seed: int = 0
    granularity: str = "access"
    carrier: str = "threads"
    clock: str = "virtual"
    also: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        if not isinstance(self.schedules, int) or isinstance(self.schedules, bool) or self.schedules < 1:
            raise UsageError(f"schedules={self.schedules!r}: how many at most, at least 1")
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"seconds={self.seconds!r}: for how long at most, more than 0, or None")
        if not isinstance(self.seed, int) or isinstance(self.seed, bool):
            raise UsageError(f"seed={self.seed!r}: it is a whole number")
        for name, known in (
            ("strategy", STRATEGIES),
            ("granularity", GRANULARITIES),
            ("carrier", CARRIERS),
            ("clock", ("virtual",)),
        ):
            value = getattr(self, name)
            if value not in known:
                raise UsageError(
                    f"{name}={value!r}: there is none of that name", hint=f"one of {', '.join(known)}"
                )
        if self.granularity == "opcode" and self.carrier == "greenlets":
            raise UsageError(
                "granularity='opcode' needs carrier='threads': greenlets cannot be switched between two instructions"
            )
        if isinstance(self.also, str):
            raise UsageError(f"also={self.also!r}: it is a list of modules", hint=f"also=[{self.also!r}]")


def check_scenario(scenario: Any) -> Callable[[], Any]:
    """A function that can be called without arguments.

    Raises:
        UsageError: It is none.
    """
    if not callable(scenario):
        raise UsageError(
            f"a scenario is a function without arguments, not {scenario!r}"[:300],
            hint="explore(scenario), not explore(scenario())"
            if scenario is None or inspect.iscoroutine(scenario)
            else None,
        )
    try:
        needed = [
            name
            for name, parameter in inspect.signature(scenario).parameters.items()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
    except (TypeError, ValueError):
        needed = []
    if needed:
        name = getattr(scenario, "__qualname__", type(scenario).__qualname__)
        raise UsageError(
            f"a scenario takes no arguments; {name} needs {', '.join(needed)}",
            hint=f"lambda: {name}(…), or functools.partial",
        )
    checked: Callable[[], Any] = scenario
    return checked
