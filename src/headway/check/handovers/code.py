"""Whose code it is that runs: the program's or a library's, ours, or ours in place of what waits."""

from __future__ import annotations

import os
from types import CodeType, FrameType

from headway.check.rewriting import accesses

__all__ = ["announces", "counts", "in_c", "is_ours", "stands_in"]

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_DOUBLES = os.path.join(_OURS, "doubles") + os.sep
_LOCALS = os.path.join(_DOUBLES, "local.py")
"""Of the doubles these alone stand for what neither waits nor is called."""
_IN_C = frozenset(os.path.join(_DOUBLES, name) for name in ("clock.py", "lock.py", "queues.py"))
"""Of the doubles these stand for what is written in C: `Lock`, `RLock`, `SimpleQueue`, and what `time` has."""
_RUNNING = tuple(
    os.path.join(_OURS, name) for name in ("asynchronous", "carriers", "doubles", "execution.py", "greenlets")
)
"""What calls the program. The rest of ours looks on, and what it calls the program does not call."""

_ANNOUNCING = frozenset(
    id(getattr(accesses, name))
    for name in dir(accesses)
    if name in ("globals", "slice", "getitem")
    or getattr(getattr(accesses, name), "__module__", "") == accesses.__name__
)


def is_ours(code: CodeType) -> bool:
    """Is this code that the program does not have when it is not explored?"""
    return code.co_filename.startswith(_OURS)


def stands_in(code: CodeType) -> bool:
    """Is it the double of something that waits, or that is called in C?"""
    return code.co_filename.startswith(_DOUBLES) and code.co_filename != _LOCALS


def in_c(code: CodeType) -> bool:
    """Is it the double of something written in C? There the interpreter looks when it is done, not when it starts."""
    return code.co_filename in _IN_C


def counts(frame: FrameType) -> bool:
    """Does this happen in the program as it is, too: does what runs here belong to it, or stand for something of it?"""
    back = frame.f_back
    if is_ours(frame.f_code):  # a double counts when it is called, and not for what it does then
        return stands_in(frame.f_code) and (back is None or not is_ours(back.f_code))
    while back is not None and not is_ours(back.f_code):
        back = back.f_back
    return back is None or back.f_code.co_filename.startswith(_RUNNING)


def announces(called: object) -> bool:
    """Does only rewritten code call this, where the program's own code calls nothing?"""
    return id(called) in _ANNOUNCING
