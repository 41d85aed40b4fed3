"""When the next start is due, so that a rate is kept."""

from __future__ import annotations

from fractions import Fraction

__all__ = ["Rate"]

_SECOND_NS = 1_000_000_000


class Rate:
    """At most `burst + per_s * w` starts in any w seconds, one more if one came late; `per_s` a second if wanted.

    All sums are of whole numbers, so nothing drifts. One who waited starts late by what waking takes; the next start
    is nonetheless due when it would have been, as long as the delay is below one interval.

    Args:
        per_s: Starts a second.
        burst: How many may start at once after a pause. 1 spaces them evenly.

    Source: the generic cell rate algorithm in its form of virtual scheduling, ITU-T I.371, annex A (a token bucket
        that needs no timer to fill it); differs: see `take`.
    """

    __slots__ = ("_due", "_interval", "_scale", "_slack")

    def __init__(self, per_s: float, burst: int) -> None:
        interval_ns = _SECOND_NS / Fraction(per_s)
        # Times are counted in parts of a nanosecond of which the interval is a whole number.
        self._scale = interval_ns.denominator
        self._interval = interval_ns.numerator
        self._slack = (burst - 1) * self._interval
        self._due: int | None = None
        """When the next start is due by the rate alone: the standard's TAT, theoretical arrival time."""

    @property
    def per_s(self) -> float:
        """Starts a second."""
        return _SECOND_NS * self._scale / self._interval

    def wait_ns(self, now_ns: int) -> int:
        """How long the next start must wait yet; 0 if it need not."""
        if self._due is None:
            return 0
        return max(0, -((now_ns * self._scale - self._due + self._slack) // self._scale))

    def take(self, now_ns: int, since_ns: int) -> None:
        """Count a start, for which `wait_ns(now_ns)` was 0.

        Args:
            now_ns: When it starts.
            since_ns: When it could have started as far as anything else than the rate goes.
        """
        # Differs from the source, which counts from `now`: then each wake-up would push all that follow.
        from_ = max(since_ns * self._scale, now_ns * self._scale - self._interval)
        self._due = (from_ if self._due is None else max(self._due, from_)) + self._interval
