"""Functions of `functools.cache` and `lru_cache` that came by value, and what they know from call to call.

Whoever unpickles one imports this, so it takes little.
"""

from __future__ import annotations

from functools import lru_cache

TYPE_CHECKING = False  # of `typing`, which would cost every worker some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["MOST_CACHED", "forget", "make_cached"]

MOST_CACHED = 16
"""So many cached functions a process remembers."""

_made: dict[bytes, Any] = {}


def make_cached(wrapped: Callable[..., Any], maxsize: int | None, typed: bool, key: bytes) -> Any:
    """The cached function, or the one that was made when the same came before, with what it knows.

    Args:
        wrapped: The function without its cache.
        maxsize: As for `lru_cache`.
        typed: Likewise.
        key: The same for functions that do the same.
    """
    made = _made.get(key)
    if made is None:
        if len(_made) >= MOST_CACHED:
            _made.pop(next(iter(_made)), None)
        made = _made.setdefault(key, lru_cache(maxsize, typed)(wrapped))
    return made


def forget() -> None:
    """Keep none of them."""
    _made.clear()
