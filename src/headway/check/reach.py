"""Finds what a program keeps since before it was explored: locks, clocks and the like; and lends it doubles.

What can be reached is collected level by level, each by one call of Python's collector for all objects of the level: a
large package brings a hundred thousand.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections import deque
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CellType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

from headway.check.place import is_program
from headway.check.whereabouts import whereabouts

__all__ = ["Undo", "lend"]

MOST = 300_000
"""Objects that are looked at; a program that holds more keeps its locks near its modules all the same."""
MOST_NOTES = 3

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
_NO_HOLDERS = (FunctionType, type, ModuleType)
"""What they hold is a matter of `captured`, and of modules."""
_PASSING = (GeneratorType, CoroutineType, AsyncGeneratorType, MethodType, BuiltinFunctionType)
"""What they hold is in use at this moment, or is what they are."""
_OURS = "headway.check"
_IMMUTABLE = 1 << 8
"""Py_TPFLAGS_IMMUTABLETYPE: the class is written in C."""


def lend(
    roots: list[object],
    leaves: frozenset[type],
    others: frozenset[int],
    kept: tuple[str, ...],
    double_of: Callable[[Any], Any],
) -> tuple[list[Undo], list[str]]:
    """Put doubles where real things are, in all that can be reached.

    Args:
        roots: Where the search begins: the scenario, and its module.
        leaves: Types of locks and the like.
        others: Clocks, and what makes locks: their identities.
        kept: Beginnings of the names of modules that go on with the real things.
        double_of: The double of a real thing; None for what has none.
    Returns:
        What puts the real things back, and notes on what keeps them.
    """
    seen = _reachable(roots, leaves, kept)
    real = [thing for thing in seen.values() if type(thing) in leaves or id(thing) in others]
    of_threads = _of_threads()
    classes = {
        id(names): thing for thing in seen.values() if isinstance(thing, type) for names in _body(thing)
    }
    undo: list[Undo] = []
    notes: list[str] = []
    for holder in gc.get_referrers(*real) if real else ():
        if id(holder) not in seen or type(holder) in leaves or isinstance(holder, _NO_HOLDERS):
            continue
        held = {
            id(thing): thing
            for thing in _values(holder)
            if (type(thing) in leaves or id(thing) in others) and id(thing) not in of_threads
        }
        doubles = {each: double for each in held if (double := double_of(held[each])) is not None}
        if type(holder) is tuple:
            put = _put_tuple(holder, doubles, seen, classes)
        elif id(holder) in classes:
            put = _put_class(classes[id(holder)], doubles)
        else:
            put = [one for each, double in doubles.items() for one in _put(holder, held[each], double)]
        undo += put
        left = [] if put else [thing for thing in held.values() if not isinstance(thing, type)]
        left += [thing for each, thing in held.items() if put and each not in doubles]
        if len(notes) <= MOST_NOTES and left and not isinstance(holder, _PASSING):
            notes += whereabouts(holder, left[0], seen)
    if len(notes) > MOST_NOTES:
        notes[MOST_NOTES:] = ["more of that kind is not under control"]
    return undo, notes


def _reachable(roots: Iterable[object], leaves: frozenset[type], kept: tuple[str, ...]) -> dict[int, object]:
    """All that can be reached, by identity. What is done for each object here is done by functions in C."""
    seen: dict[int, object] = {}
    met = {id(sys.modules)}
    level = _by_identity(roots)
    while level and len(seen) < MOST:
        seen |= level
        met.update(level)
        level = _referents(level.values(), leaves, kept)
        for known in level.keys() & met:
            del level[known]
        met.update(level)
        kinds = set(map(type, level.values()))
        closed = {kind for kind in kinds if issubclass(kind, _CLOSED) or _is_kept(kind)}
        level = {identity: thing for identity, thing in level.items() if type(thing) not in closed}
    return seen


def _by_identity(things: Iterable[object]) -> dict[int, object]:
    things = list(things)
    return dict(zip(map(id, things), things, strict=True))


def _is_kept(kind: type) -> bool:
    """Is this the type of a double, which has the real thing inside, or of anything of who runs the tests?"""
    name = kind.__module__
    return isinstance(name, str) and (name.startswith(_OURS) or _begins(name, _RUNNER))


def _referents(
    level: Collection[object], leaves: frozenset[type], kept: tuple[str, ...]
) -> dict[int, object]:
    """What these objects refer to; of a function's module only what the module's own file has made."""
    special = {kind for kind in set(map(type, level)) if issubclass(kind, _NO_HOLDERS)} | leaves
    found = gc.get_referents(*[thing for thing in level if type(thing) not in special])
    functions: list[FunctionType] = []
    others: dict[object, bool] = {}
    for thing in [thing for thing in level if type(thing) in special]:
        if isinstance(thing, ModuleType):
            file = getattr(thing, "__file__", None) or "<frozen"
            if is_program(file) and not thing.__name__.startswith(kept):
                found.append(vars(thing))
        elif isinstance(thing, _NO_HOLDERS):
            name = thing.__module__
            known = others.get(name) if isinstance(name, str) else False
            if known is None:
                known = others[name] = _is_of_others(name)
            if known:
                pass
            elif isinstance(thing, FunctionType):
                functions.append(thing)
            else:
                found += gc.get_referents(thing)
    of_functions = _by_identity(gc.get_referents(*functions))
    for beside in {id(function.__globals__) for function in functions}:
        of_functions.pop(beside, None)
    modules = {name for function in functions if isinstance(name := function.__module__, str)}
    return of_functions | _by_identity([*found, *map(sys.modules.get, modules)])


def _is_of_others(name: str) -> bool:
    """Is what a module makes not the program's?"""
    file = getattr(sys.modules.get(name), "__file__", None)
    # A notebook has no file, and neither have modules that are built in.
    ours = is_program(file) if file else not _begins(name, sys.stdlib_module_names)
    return _begins(name, _RUNNER) or not ours


def _begins(name: str, packages: Container[str]) -> bool:
    return name.partition(".")[0] in packages


def _of_threads() -> set[int]:
    """What threads that run have for themselves."""
    found: list[Any] = []
    for thread in threading.enumerate():
        own = vars(thread)
        found += [own.get("_tstate_lock"), own.get("_started")]
    return {id(each) for each in found}


def _values(holder: Any) -> Iterable[Any]:
    if isinstance(holder, dict):
        return dict.values(holder)
    return gc.get_referents(holder)


def _put(place: Any, real: object, double: object) -> list[Undo]:
    """Put a double in each place of an object where the real thing is."""
    undo: list[Undo] = []
    if isinstance(place, dict):
        for key in [key for key, value in dict.items(place) if value is real]:
            dict.__setitem__(place, key, double)
            undo.append(lambda key=key: dict.__setitem__(place, key, real))  # type: ignore[misc]
    elif isinstance(place, (list, deque)):
        for index in [index for index, value in enumerate(place) if value is real]:
            place[index] = double
            undo.append(lambda index=index: place.__setitem__(index, real))  # type: ignore[misc]
    elif isinstance(place, CellType):
        place.cell_contents = double
        undo.append(lambda: setattr(place, "cell_contents", real))
    else:
        names = _own_names(place)
        if names is not None:
            undo += _put(names, real, double)
        for slot in _slots(type(place)):
            if _in_slot(slot, place) is real and _set_slot(slot, place, double):
                undo.append(lambda slot=slot: slot.__set__(place, real))  # type: ignore[misc]
    return undo


def _body(kind: type) -> list[object]:
    """The dictionary itself that a class has for its attributes, and not a view of it."""
    return gc.get_referents(vars(kind))


def _put_class(kind: type, doubles: Mapping[int, Any]) -> list[Undo]:
    """Put doubles in the body of a class, by `setattr`: Python remembers what it has found in a class."""
    undo: list[Undo] = []
    for name, value in list(vars(kind).items()):
        double = doubles.get(id(value))
        changes = not kind.__flags__ & _IMMUTABLE
        if changes and double is not None and not isinstance(double, FunctionType):  # it would be a method
            type.__setattr__(kind, name, double)
            undo.append(lambda name=name, value=value: type.__setattr__(kind, name, value))  # type: ignore[misc]
    return undo


def _put_tuple(
    place: tuple[Any, ...],
    doubles: Mapping[int, Any],
    seen: Mapping[int, object],
    classes: Mapping[int, type],
) -> list[Undo]:
    """Put a tuple with doubles where this one is; it may be the defaults of a function's arguments."""
    undo: list[Undo] = []
    if all(isinstance(thing, type) for thing in place):  # types to be told apart
        return undo
    lent = tuple(doubles.get(id(thing), thing) for thing in place)
    for holder in gc.get_referrers(place):
        if id(holder) not in seen or type(holder) is tuple:
            continue
        if id(holder) in classes:
            undo += _put_class(classes[id(holder)], {id(place): lent})
        elif not isinstance(holder, FunctionType):
            undo += [] if isinstance(holder, _NO_HOLDERS) else _put(holder, place, lent)
        elif holder.__defaults__ is place:
            holder.__defaults__ = lent
            undo.append(lambda holder=holder: setattr(holder, "__defaults__", place))  # type: ignore[misc]
    return undo


def _own_names(thing: object) -> dict[str, Any] | None:
    try:
        names = object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return None
    return names if isinstance(names, dict) else None


def _slots(kind: type) -> list[MemberDescriptorType]:
    members = [member for owner in kind.__mro__ for member in vars(owner).values()]
    return [member for member in members if type(member) is MemberDescriptorType]


def _set_slot(slot: MemberDescriptorType, thing: object, value: object) -> bool:
    try:
        slot.__set__(thing, value)
    except (AttributeError, TypeError):  # it is written in C, and is for reading only
        return False
    return True


def _in_slot(slot: MemberDescriptorType, thing: object) -> object:
    try:
        return slot.__get__(thing)
    except AttributeError:
        return None
