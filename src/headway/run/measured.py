"""What calls took, as `on="auto"` looks at it."""

from __future__ import annotations

import math
import time

from headway.run.batch import Portion

__all__ = ["Window", "time_of"]


class Window:
    """What calls took since some moment."""

    def __init__(self) -> None:
        self.since_ns = time.monotonic_ns()
        self.calls = self.portions = 0
        self.run_ns = self.cpu_ns = 0
        self._first_ns = self._last_ns = 0

    def add(self, portion: Portion) -> bool:
        """Count a portion, unless it began before the window did."""
        _, _, values, _, (_, started_ns, ended_ns, cpu_ns, _) = portion
        if not started_ns or started_ns < self.since_ns:
            return False
        if not self._first_ns or started_ns < self._first_ns:
            self._first_ns = started_ns
        if ended_ns > self._last_ns:
            self._last_ns = ended_ns
        self.calls += len(values)
        self.portions += 1
        self.run_ns += ended_ns - started_ns
        self.cpu_ns += cpu_ns
        return True

    @property
    def elapsed_ns(self) -> int:
        """How long it is open."""
        return max(time.monotonic_ns() - self.since_ns, 1)

    @property
    def span_ns(self) -> int:
        """From the first beginning to the last end of what was counted: calls that go on then are not part of it."""
        return max(self._last_ns - self._first_ns, 1)

    @property
    def call_ns(self) -> float:
        """How long a call ran."""
        return self.run_ns / max(self.calls, 1)

    @property
    def busy(self) -> float:
        """How much of a core a call uses while it runs: 1.0 is all of it."""
        return self.cpu_ns / max(self.run_ns, 1)

    @property
    def cpu_call_ns(self) -> float:
        """What a call uses of a core, however long it stands in line for it."""
        return self.cpu_ns / max(self.calls, 1)

    @property
    def cores(self) -> float:
        """How many cores all calls together have used."""
        return self.cpu_ns / self.elapsed_ns

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.elapsed_ns * 1e9


def time_of(ns: float) -> str:
    """A time for people."""
    if math.isinf(ns):
        return "an unknown time"
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"
