"""Whose code it is that runs: the program's or a library's, ours, or ours in place of what waits."""

from __future__ import annotations

import os
from types import CodeType, FrameType

from headway.check.rewriting import accesses

__all__ = ["announces", "counts", "is_ours"]

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_DOUBLES = os.path.join(_OURS, "doubles") + os.sep
_LOCALS = os.path.join(_DOUBLES, "local.py")
"""Of the doubles these alone stand for what neither waits nor is called."""

_ANNOUNCING = frozenset(
    id(getattr(accesses, name))
    for name in dir(accesses)
    if name in ("globals", "slice", "getitem")
    or getattr(getattr(accesses, name), "__module__", "") == accesses.__name__
)


def is_ours(code: CodeType) -> bool:
    """Is this code that the program does not have when it is not explored?"""
    return code.co_filename.startswith(_OURS)


def counts(frame: FrameType) -> bool:
    """Does this function that starts stand for one that starts, or for a call in C, in the program as it is?"""
    back, ours = frame.f_back, is_ours(frame.f_code)
    if back is not None and is_ours(back.f_code):
        # What a double calls may be the program's; what the rest of ours calls, such as a generated `__init__`, is not.
        return not ours and _stands_in(back.f_code)
    return not ours or _stands_in(frame.f_code)


def _stands_in(code: CodeType) -> bool:
    return code.co_filename.startswith(_DOUBLES) and code.co_filename != _LOCALS


def announces(called: object) -> bool:
    """Does only rewritten code call this, where the program's own code calls nothing?"""
    return id(called) in _ANNOUNCING
