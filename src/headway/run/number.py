"""Whether an argument is a number at all, before it is compared with one."""

from __future__ import annotations

__all__ = ["is_number", "is_whole"]


def is_whole(value: object) -> bool:
    """Whether it is a whole number, of Python or of a library as NumPy; a bool is none."""
    return hasattr(type(value), "__index__") and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether it is a real number, of Python or of a library as NumPy; a bool is none, and no text is."""
    return hasattr(type(value), "__float__") and not isinstance(value, bool)
