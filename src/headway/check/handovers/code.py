"""Whose code it is that runs: the program's or a library's, ours, or ours in place of what waits."""

from __future__ import annotations

import os
from types import CodeType, FrameType, FunctionType, MethodType

from headway.check.rewriting import accesses

__all__ = ["announces", "counts", "forwards", "in_c", "in_python", "is_ours", "names_callee", "stands_in"]

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

_HELPERS = [getattr(accesses, name) for name in dir(accesses)]
_ANNOUNCING = frozenset(
    id(helper)
    for helper in _HELPERS
    if helper in (accesses.globals, accesses.slice, accesses.getitem)
    or getattr(helper, "__module__", "") == accesses.__name__
)
_NAMING = frozenset(
    helper.__code__
    for helper in (accesses.arguments_of_method, accesses.arguments_of_builtin, accesses.arguments_of_slot)
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


def forwards(called: object) -> bool:
    """Does rewritten code call this with what the program's own code calls directly, and its arguments?"""
    return called is accesses.call


def names_callee(code: CodeType) -> bool:
    """Is this run just before that? Its parameter `function` is what is called then."""
    return code in _NAMING


def in_python(called: object) -> bool:
    """Is it a Python function? When one returns, the interpreter does not look."""
    return type(called.__func__ if isinstance(called, MethodType) else called) is FunctionType
