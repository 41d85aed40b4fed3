"""Functions of which it was found that threads gain nothing for them, since the GIL is in the way."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from headway.run.identity import same_work

__all__ = ["Stuck", "found_stuck", "no_longer_stuck", "stuck_before"]

ALIKE = 2.0
"""Calls that use less than so many times as much of a core as before, or so many times less, are the same work."""
CLEAR = 0.8, 1.1
"""Threads that together used fewer cores, or more, may have been held back by something else than the GIL."""
TRUSTED = 8
"""What was found is used so many times, and then found again: where others wanted the cores, it may have been wrong."""


class Stuck(NamedTuple):
    """What a probe on threads found."""

    threads: int
    cores: float
    """How many these have used together."""
    cpu_call_ns: float
    """What a call used of a core."""
    first_ns: float = 0.0
    """What those used of it that ran before the probe; 0 is none. Uneven calls may begin with a short one."""


_known: weakref.WeakKeyDictionary[Any, Stuck] = weakref.WeakKeyDictionary()
_used: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()


def stuck_before(fn: Callable[..., Any], cpu_call_ns: float) -> Stuck | None:
    """What the last probe found, if calls still use about as much of a core as then."""
    key = same_work(fn)
    known = _known.get(key)
    if known is None:
        return None
    seen = (known.cpu_call_ns, known.first_ns or known.cpu_call_ns)
    if not min(seen) / ALIKE < cpu_call_ns < max(seen) * ALIKE:
        return None
    _used[key] = _used.get(key, 0) + 1
    return known if _used[key] <= TRUSTED else None


def found_stuck(fn: Callable[..., Any], stuck: Stuck) -> None:
    """Remember what a probe has found, if it was clear."""
    no_longer_stuck(fn)
    if CLEAR[0] <= stuck.cores <= CLEAR[1]:
        _known[same_work(fn)] = stuck


def no_longer_stuck(fn: Callable[..., Any]) -> None:
    """What was found does not hold any more."""
    _known.pop(same_work(fn), None)
    _used.pop(same_work(fn), None)
