"""Foreign values: those of C extensions, whose operators may let the GIL go without being called."""

from __future__ import annotations

import sys
from collections.abc import Hashable

from headway.check.recorder import value_of
from headway.check.rewriting.containers import HEAP

__all__ = ["holds_foreign"]


def holds_foreign(owner: object, name: Hashable) -> bool:
    """Does a variable hold one, such as an array of NumPy?"""
    return any(
        not kind.__flags__ & HEAP and kind.__module__.partition(".")[0] not in sys.stdlib_module_names
        for kind in type(value_of(owner, name)).__mro__
    )
