"""`concurrent.futures.Future`: in an order of their own, since no schedule fixes the addresses of objects.

`wait` and `as_completed` take the locks of futures in the order of their addresses, and go through sets of them.
"""

from __future__ import annotations

from concurrent.futures import Future, _base
from typing import Any

from headway.check.doubles.thread import orders
from headway.check.world import here

__all__ = ["attributes"]

_real_init = Future.__init__


def initialize(self: Future[Any]) -> None:
    """As `Future.__init__`; those of an execution are numbered."""
    if here() is not None:
        self.__dict__["_headway_order"] = orders()
    _real_init(self)


def place_in_set(self: Future[Any]) -> int:
    """In place of `Future.__hash__`."""
    order: int | None = self.__dict__.get("_headway_order")
    return object.__hash__(self) if order is None else order


def identity(thing: object) -> int:
    """In place of `id`, where it is what futures are sorted by."""
    order: int | None = getattr(thing, "__dict__", {}).get("_headway_order")
    return id(thing) if order is None else order


def attributes() -> list[tuple[Any, str, Any]]:
    """Where these are put."""
    return [(Future, "__init__", initialize), (Future, "__hash__", place_in_set), (_base, "id", identity)]
