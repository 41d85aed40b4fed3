"""Finds locks that a program made before it was explored, wherever it keeps them, and lends it doubles."""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Callable, Container
from types import CellType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from headway.check.place import is_program

__all__ = ["Undo", "lend"]

MOST = 300_000
"""Objects that are looked at; a program that holds more keeps its locks near its modules all the same."""

Undo = Callable[[], None]
_CLOSED = (
    str,
    bytes,
    int,
    float,
    complex,
    bool,
    type(None),
    CodeType,
    FrameType,
    range,
    slice,
    type(sys.__spec__),
)
_RUNNER = frozenset({"_pytest", "pytest", "pluggy"})
"""From the modules of who runs tests all tests of a suite can be reached, and not what the program holds."""


def lend(roots: list[object], stand_in: Callable[[Any], Any]) -> list[Undo]:
    """Put doubles where locks are, in all that can be reached.

    Args:
        roots: Where the search begins: the scenario, and its module.
        stand_in: The double of a lock; None for anything else.
    Returns:
        What puts the locks back.
    """
    undo: list[Undo] = []
    doubles: dict[int, Any] = {}
    seen = {id(sys.modules)}
    others: dict[str, bool] = {}
    waiting: deque[object] = deque(roots)
    while waiting and len(seen) < MOST:
        thing = waiting.popleft()
        if id(thing) in seen or isinstance(thing, _CLOSED):
            continue
        seen.add(id(thing))
        if _is_of_others(thing, others):
            continue
        if isinstance(thing, ModuleType):
            thing = vars(thing)
            seen |= {id(thing), id(thing.get("__loader__"))}  # a loader of pytest's knows all tests, too
        for held in _held(thing):
            if isinstance(held, _CLOSED):
                continue
            double = doubles.get(id(held))
            if double is None and (double := stand_in(held)) is not None:
                doubles[id(held)] = double
            if double is None:
                waiting.append(held)
            else:
                undo += _put(thing, held, double)
    return undo


def _is_of_others(thing: Any, known: dict[str, bool]) -> bool:
    """Is this a module, a class or a function that is not the program's, or anything of who runs its tests?"""
    if isinstance(thing, ModuleType):
        return _begins(thing.__name__, _RUNNER) or not is_program(
            getattr(thing, "__file__", None) or "<frozen"
        )
    if not isinstance(thing, type | FunctionType):
        return _begins(type(thing).__module__, _RUNNER)
    name = thing.__module__
    if type(name) is not str:
        return False
    if name not in known:
        file = getattr(sys.modules.get(name), "__file__", None)
        # A notebook has no file, and neither have modules that are built in.
        ours = is_program(file) if file else not _begins(name, sys.stdlib_module_names)
        known[name] = _begins(name, _RUNNER) or not ours
    return known[name]


def _begins(name: Any, packages: Container[str]) -> bool:
    return type(name) is str and name.partition(".")[0] in packages


def _held(thing: object) -> list[object]:
    """What an object refers to; of a function's module only what the module's own file has made."""
    if isinstance(thing, FunctionType):
        module = sys.modules.get(thing.__module__)
        return [module, thing.__closure__, thing.__defaults__, thing.__kwdefaults__, thing.__dict__]
    if isinstance(thing, MethodType):
        return [thing.__func__, thing.__self__]
    if isinstance(thing, CellType):
        return gc.get_referents(thing)
    if hasattr(thing, "__dict__") and not isinstance(thing, type):
        return [thing.__dict__, *gc.get_referents(thing)]
    return gc.get_referents(thing)


def _put(place: Any, real: object, double: object) -> list[Undo]:
    undo: list[Undo] = []
    if isinstance(place, dict):
        for key, value in list(place.items()):
            if value is real:
                place[key] = double
                undo.append(lambda key=key: place.__setitem__(key, real))  # type: ignore[misc]
    elif isinstance(place, list):
        for index, value in enumerate(place):
            if value is real:
                place[index] = double
                undo.append(lambda index=index: place.__setitem__(index, real))  # type: ignore[misc]
    elif isinstance(place, CellType):
        place.cell_contents = double
        undo.append(lambda: setattr(place, "cell_contents", real))
    else:
        # From 3.13 on the collector sees the values of an object's dictionary from the object, and not from there.
        if type(names := getattr(place, "__dict__", None)) is dict:
            undo += _put(names, real, double)
        for owner in type(place).__mro__:
            for name, member in list(vars(owner).items()):
                if type(member).__name__ == "member_descriptor" and getattr(place, name, None) is real:
                    setattr(place, name, double)
                    undo.append(lambda name=name: setattr(place, name, real))  # type: ignore[misc]
    return undo
