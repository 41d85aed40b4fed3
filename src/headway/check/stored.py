"""Stored tokens: schedules under which a test has failed, kept from one run to the next to be tried first."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

__all__ = ["Cache", "Stored"]

MOST_TOKENS = 3
"""Kept for one test; the newest."""


class Cache(Protocol):
    """Keeps small values by their keys; that of pytest is one."""

    def get(self, key: str, default: Any) -> Any:
        """The value, or the default."""

    def set(self, key: str, value: object) -> None:
        """Keep it."""


class Stored:
    """The tokens of one test.

    Each test has an entry of its own, so that processes which run different tests at once do not disturb each other.

    Args:
        cache: None keeps nothing.
        test: Names the test; the same in each run.
    """

    def __init__(self, cache: Cache | None, test: str) -> None:
        self._cache = cache
        self._test = test
        self._key = f"headway/{hashlib.sha256(test.encode()).hexdigest()[:16]}"

    def tokens(self) -> list[str]:
        """The newest first. What is damaged is as if it were not there."""
        if self._cache is None:
            return []
        kept = self._cache.get(self._key, None)
        tokens = kept.get("tokens") if isinstance(kept, dict) else None
        if not isinstance(tokens, list):
            return []
        return [token for token in tokens if isinstance(token, str)][:MOST_TOKENS]

    def add(self, token: str) -> None:
        """The test has failed under this schedule."""
        self._put([token, *(other for other in self.tokens() if other != token)])

    def remove(self, token: str) -> None:
        """It does so no longer."""
        self._put([other for other in self.tokens() if other != token])

    def _put(self, tokens: list[str]) -> None:
        if self._cache is not None:
            self._cache.set(self._key, {"test": self._test, "tokens": tokens[:MOST_TOKENS]})
