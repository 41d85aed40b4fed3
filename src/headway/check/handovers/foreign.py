"""Foreign values: those of C extensions, whose operators may let the GIL go without being called."""

from __future__ import annotations

import sys
from collections.abc import Hashable
from types import WrapperDescriptorType

from headway.check.recorder import value_of

__all__ = ["holds_foreign"]


def holds_foreign(owner: object, name: Hashable) -> bool:
    """Does a variable hold one, such as an array of NumPy?

    Its type, or one that this is derived from, has operators in C, and is not Python's own.
    """
    return any(
        kind.__module__.partition(".")[0] not in sys.stdlib_module_names
        and any(type(each) is WrapperDescriptorType for each in kind.__dict__.values())
        for kind in type(value_of(owner, name)).__mro__
    )
