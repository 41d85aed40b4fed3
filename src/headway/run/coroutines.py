"""Plain functions that return coroutines, such as a lambda that calls a coroutine function."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any

from headway.run.batch import Portion

__all__ = ["Awaiting", "Begun", "begun_in", "finish"]


class Awaiting:
    """The same function as a coroutine function: it waits for what is returned, if that is a coroutine.

    Args:
        fn: A plain function.
    """

    def __init__(self, fn: Callable[..., Any]) -> None:
        functools.update_wrapper(self, fn)
        self._fn = fn

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it, and wait."""
        outcome = self._fn(*args, **kwargs)
        return await outcome if type(outcome) is CoroutineType else outcome


class Begun:
    """A coroutine that a call returned, until somebody waits for it; if nobody does, Python need not complain.

    Args:
        coroutine: It.
    """

    __slots__ = ("coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutine = coroutine

    def __del__(self) -> None:
        self.coroutine.close()


async def finish(begun: Begun) -> Any:
    """Wait for a coroutine that was begun elsewhere."""
    return await begun.coroutine


def begun_in(portion: Portion) -> list[int]:
    """The places of those values that are coroutines which a plain function returned."""
    values, fn = portion.values, portion.batch.fn
    if not values or fn is finish or isinstance(fn, Awaiting):
        return []
    # To look at each value costs as much as to call the shortest functions. So a program without asyncio pays for the
    # first one of a batch only: its batches begin with one call.
    if type(values[0]) is CoroutineType or ("asyncio" in sys.modules and CoroutineType in map(type, values)):
        return [place for place, value in enumerate(values) if type(value) is CoroutineType]
    return []
