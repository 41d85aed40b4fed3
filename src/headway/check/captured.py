"""Finds the real things that functions and classes have captured, and lends them doubles.

A default argument `make_lock=threading.Lock`, a dataclass's `default_factory=time.time`, `clock = time.monotonic` in
the body of a class: what was looked up when the module was loaded is not looked up in the module again.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from types import BuiltinFunctionType, CellType, FunctionType
from typing import Any

from headway.check.reach import Undo

__all__ = ["lend_captured"]


def lend_captured(doubles: Mapping[int, Any], kept: tuple[str, ...]) -> list[Undo]:
    """Put doubles into default arguments, closures and class bodies.

    Args:
        doubles: The identity of a real thing, to its double.
        kept: Beginnings of the names of modules that go on with the real things.
    Returns:
        What puts the real things back.
    """
    undo: list[Undo] = []
    for each in gc.get_objects():
        kind = type(each)
        if kind is FunctionType:
            if each.__defaults__ or each.__kwdefaults__ or each.__closure__:
                _in_function(each, doubles, kept, undo)
        elif kind is type and not str(each.__module__).startswith(kept):
            for name, value in list(vars(each).items()):
                double = doubles.get(id(value))
                if double is not None:
                    # A function in a class is a method, one that is built in is not.
                    plain = isinstance(value, BuiltinFunctionType) and isinstance(double, FunctionType)
                    setattr(each, name, staticmethod(double) if plain else double)
                    undo.append(lambda each=each, name=name, value=value: setattr(each, name, value))  # type: ignore[misc]
    return undo


def _in_function(function: Any, doubles: Mapping[int, Any], kept: tuple[str, ...], undo: list[Undo]) -> None:
    defaults, named = function.__defaults__, function.__kwdefaults__
    if str(function.__module__).startswith(kept):
        return
    if defaults and any(id(value) in doubles for value in defaults):
        function.__defaults__ = tuple(doubles.get(id(value), value) for value in defaults)
        undo.append(lambda: setattr(function, "__defaults__", defaults))
    if named and any(id(value) in doubles for value in named.values()):
        function.__kwdefaults__ = {name: doubles.get(id(value), value) for name, value in named.items()}
        undo.append(lambda: setattr(function, "__kwdefaults__", named))
    for cell in function.__closure__ or ():
        _in_cell(cell, doubles, undo)


def _in_cell(cell: CellType, doubles: Mapping[int, Any], undo: list[Undo]) -> None:
    try:
        real = cell.cell_contents
    except ValueError:  # not bound yet
        return
    double = doubles.get(id(real))
    if double is not None:
        cell.cell_contents = double
        undo.append(lambda: setattr(cell, "cell_contents", real))
