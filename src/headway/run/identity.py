"""When two functions do the same work, so that what was learnt of one holds for the other."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["name_of", "same_work"]


def same_work(fn: Callable[..., Any]) -> Any:
    """What is the same for functions that do the same, and can be referred to weakly.

    That is the code of a function, also of a method, a partial, or two lambdas that one line has made; for others it
    is the thing itself or, if that has no weak references, its class.
    """
    inner = _inner(fn)
    key = getattr(inner, "__code__", inner)
    try:
        hash(key)
        weakref.ref(key)
    except TypeError:
        return type(key)
    return key


def name_of(fn: object) -> str:
    """What people call it."""
    inner = _inner(fn)
    name: str = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    return name


def _inner(fn: Any) -> Any:
    while isinstance(fn, functools.partial):
        fn = fn.func
    return getattr(fn, "__func__", fn)
