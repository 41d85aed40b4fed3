"""What is left of a time limit."""

from __future__ import annotations

import time

__all__ = ["Timeout"]


class Timeout:
    """A time limit that begins now.

    Args:
        limit_s: Seconds on the monotonic clock; None is for ever.
    """

    __slots__ = ("_end_s",)

    def __init__(self, limit_s: float | None) -> None:
        self._end_s = None if limit_s is None else time.monotonic() + limit_s

    def left_s(self) -> float | None:
        """Seconds that are left, 0 if none are; None is for ever."""
        return None if self._end_s is None else max(0.0, self._end_s - time.monotonic())
