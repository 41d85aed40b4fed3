"""When a call that failed is tried again."""

from __future__ import annotations

from dataclasses import dataclass

from headway.errors import UsageError
from headway.run.number import is_number, is_whole

__all__ = ["Retry"]

_FOR_EVER = float("inf")
_RANGES = (
    ("pause_s", 0, _FOR_EVER),
    ("backoff", 1, _FOR_EVER),
    ("longest_s", 0, _FOR_EVER),
    ("jitter", 0, 1),
)
"""Of each number: the least and the most that it may be."""


@dataclass(frozen=True)
class Retry:
    """How often a failed call is tried again, after what, and after what pause.

    The n-th pause is `pause_s * backoff ** (n - 1)`, at most `longest_s`, and spread by `jitter` so that calls
    that failed together do not come back together. While a call pauses its worker serves others.

    Args:
        times: At most so many more times.
        on: Exceptions after which it is worth while; a call that is stopped by its user is never tried again.
        pause_s: The first pause, in seconds.
        backoff: What each further pause is multiplied with.
        longest_s: No pause is longer.
        jitter: From 0 to 1: the part of a pause that is random.

    Raises:
        UsageError: One of them makes no sense.
    """

    times: int
    on: tuple[type[BaseException], ...] | type[BaseException] = (Exception,)
    pause_s: float = 0.0
    backoff: float = 2.0
    longest_s: float = 60.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if not is_whole(self.times) or self.times < 0:
            raise UsageError(
                f"times={self.times!r} is not how often a call can be tried again",
                hint="it is a whole number from 0 on",
            )
        kinds = self.on if isinstance(self.on, tuple) else (self.on,)
        for kind in kinds:
            if not isinstance(kind, type) or not issubclass(kind, BaseException):
                raise UsageError(
                    f"on={self.on!r}: {kind!r} is no class of exceptions",
                    hint="it is a class or a tuple of classes, as on=ConnectionError",
                )
        for name, least, most in _RANGES:
            value = getattr(self, name)
            if not is_number(value) or not least <= value <= most:
                upper = "on" if most == _FOR_EVER else f"to {most}"
                raise UsageError(
                    f"{name}={value!r} makes no sense", hint=f"it is a number from {least} {upper}"
                )

    def again(self, error: BaseException, tried: int) -> float | None:
        """How long to pause before the call is tried again.

        Args:
            error: What it raised.
            tried: How often it has run.
        Returns:
            Seconds; None if it is not to be tried again.
        """
        if tried > self.times or not isinstance(error, self.on):
            return None
        import random  # seldom needed, and slow to import

        pause_s = min(self.longest_s, self.pause_s * self.backoff ** (tried - 1))
        return pause_s * (1 - self.jitter * random.random())
