"""Locks that stop the whole thread, whatever has been monkey-patched."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

__all__ = ["raw_lock"]


def _find() -> Callable[[], Any]:
    # Subtle: gevent replaces `_thread.allocate_lock`, too, and a greenlet's lock must not guard what threads share.
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None:
        return cast(Callable[[], Any], monkey.get_original("_thread", "allocate_lock"))
    import _thread

    return _thread.allocate_lock


raw_lock = _find()
"""Makes a lock. No unit may switch, wait or call foreign code while it holds one."""
