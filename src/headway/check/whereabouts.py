"""Whereabouts: where a program keeps a real thing that no double could be put in place of, in words."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from types import CellType, FunctionType, ModuleType
from typing import Any

__all__ = ["whereabouts"]

LEVELS = 5
"""How far up from the thing a name is looked for."""
MOST = 50
"""Objects of a level that are looked at."""


def whereabouts(holder: object, thing: object, seen: Mapping[int, object]) -> list[str]:
    """Such as `a partial object at shop.cache.timer keeps the real time.monotonic`; none if no name is near.

    Args:
        holder: What refers to the thing.
        thing: The real one.
        seen: What can be reached from the scenario, by identity: only that is named.
    """
    kind = type(holder).__name__
    article = "an" if kind[0] in "aeiouAEIOU" else "a"
    name = getattr(thing, "__name__", None)
    real = f"{getattr(thing, '__module__', '')}.{name}" if name else type(thing).__name__
    locked = getattr(thing, "locked", None)
    held = ", which somebody holds" if locked is not None and locked() else ""
    where = _name(holder, seen)
    return [f"{article} {kind} object at {where} keeps the real {real}{held}"] if where else []


def _name(thing: object, seen: Mapping[int, object]) -> str:
    """Such as `shop.cache.timer`; empty if it is too far from any name."""
    level: list[tuple[object, str]] = [(thing, "")]
    for _ in range(LEVELS):
        above: list[tuple[object, str]] = []
        for each, rest in level[:MOST]:
            if isinstance(each, dict) and (module := _module_of(each)):
                return module + rest
            if isinstance(each, FunctionType):
                return f"{each.__module__}.{each.__qualname__}{rest}"
            for holder in gc.get_referrers(each):
                if id(holder) in seen and not isinstance(holder, ModuleType):
                    above.append((holder, _step(holder, each) + rest))
        level = above
    return ""


def _module_of(names: dict[Any, Any]) -> str:
    name = names.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    return module.__name__ if module is not None and vars(module) is names else ""


def _step(holder: Any, thing: object) -> str:
    """How one comes from an object to another that it refers to."""
    if isinstance(holder, CellType) or isinstance(thing, CellType):
        return ""
    if isinstance(holder, dict):
        for key, value in dict.items(holder):
            if value is thing:
                named = isinstance(key, str) and key.isidentifier()
                return f".{key}" if named else f"[{key!r}]"
    names = None if isinstance(holder, type) else getattr(holder, "__dict__", None)
    if isinstance(names, dict):
        for key, value in names.items():
            if value is thing:
                return f".{key}"
    if isinstance(holder, (list, tuple)):
        return f"[{next((index for index, value in enumerate(holder) if value is thing), 0)}]"
    return ""
