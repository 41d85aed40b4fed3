"""Finds the real things that functions and classes have captured, and lends them doubles.

A default argument `make_lock=threading.Lock`, a dataclass's `default_factory=time.time`, `clock = time.monotonic` in
the body of a class: what was looked up when the module was loaded is not looked up in the module again.
"""

from __future__ import annotations

import gc
from abc import ABCMeta
from collections.abc import Mapping
from types import BuiltinFunctionType, CellType, FunctionType
from typing import Any

from headway.check.reach import Undo

__all__ = ["lend_captured"]

_HEAP = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: the class was not compiled into Python or an extension module."""


def lend_captured(doubles: Mapping[int, Any], kept: tuple[str, ...]) -> list[Undo]:
    """Put doubles into default arguments, closures and class bodies.

    Args:
        doubles: The identity of a real thing, to its double.
        kept: Beginnings of the names of modules that go on with the real things.
    Returns:
        What puts the real things back.
    """
    undo: list[Undo] = []
    real = frozenset(doubles)
    objects = gc.get_objects()
    for function in [each for each in objects if type(each) is FunctionType]:
        if function.__defaults__ or function.__kwdefaults__ or function.__closure__:
            _in_function(function, doubles, real, kept, undo)
    # A class that is written in C holds what it is made of. By identity: to compare classes takes most of the time.
    classes = [each for each in objects if type(each) is type or type(each) is ABCMeta]
    for each in [each for each in classes if each.__flags__ & _HEAP]:
        if real.isdisjoint(map(id, vars(each).values())) or str(each.__module__).startswith(kept):
            continue
        for name, value in list(vars(each).items()):
            double = doubles.get(id(value))
            if double is not None:
                # A function in a class is a method, one that is built in is not.
                plain = isinstance(value, BuiltinFunctionType) and isinstance(double, FunctionType)
                setattr(each, name, staticmethod(double) if plain else double)
                undo.append(lambda each=each, name=name, value=value: setattr(each, name, value))  # type: ignore[misc]
    return undo


def _in_function(
    function: Any, doubles: Mapping[int, Any], real: frozenset[int], kept: tuple[str, ...], undo: list[Undo]
) -> None:
    defaults, named = function.__defaults__, function.__kwdefaults__
    held = [*(defaults or ()), *(named or {}).values(), *map(_content, function.__closure__ or ())]
    if real.isdisjoint(map(id, held)) or str(function.__module__).startswith(kept):
        return
    if defaults and any(id(value) in doubles for value in defaults):
        function.__defaults__ = tuple(doubles.get(id(value), value) for value in defaults)
        undo.append(lambda: setattr(function, "__defaults__", defaults))
    if named and any(id(value) in doubles for value in named.values()):
        function.__kwdefaults__ = {name: doubles.get(id(value), value) for name, value in named.items()}
        undo.append(lambda: setattr(function, "__kwdefaults__", named))
    for cell in function.__closure__ or ():
        _in_cell(cell, doubles, undo)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None


def _in_cell(cell: CellType, doubles: Mapping[int, Any], undo: list[Undo]) -> None:
    real = _content(cell)
    double = doubles.get(id(real))
    if double is not None:
        cell.cell_contents = double
        undo.append(lambda: setattr(cell, "cell_contents", real))
