"""Reach: which functions and files a scenario's own code consists of.

A bounded walk from the scenario through functions, closures, classes, containers and the local modules they are of.
"""

import functools
import importlib
import linecache
import os
import sys
import sysconfig
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType, ModuleType
from typing import Any

_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_STANDARD = tuple(
    os.path.realpath(path) + os.sep
    for path in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    if path
)
_OBJECTS = 100_000
"""So many objects are looked at, and so many items of one container."""
_ITEMS = 10_000


@functools.cache
def is_local(file: str | None) -> bool:
    """Is this file the user's own: not Python's, not installed, not headway's?"""
    if not file or file.startswith("<frozen"):
        return False
    if file.startswith(_OURS) or "site-packages" in file or "dist-packages" in file:
        return False
    real = os.path.realpath(file)
    return not real.startswith(_STANDARD) and not any(
        real.startswith(os.path.realpath(path) + os.sep) and _is_installed(path) for path in sys.path if path
    )


@functools.cache
def _is_installed(path: str) -> bool:
    """Is this directory one that an installer fills, such as that of `pip install --target`?"""
    try:
        return any(name.endswith(".dist-info") for name in os.listdir(path))
    except OSError:
        return False


class Reach:
    """What a scenario reaches.

    Attributes:
        functions: All functions found, rewritable or not.
        modules: The modules found, by name.
        missing: Names in `also` that are no Python modules, with the reason.
    """

    def __init__(self, scenario: Callable[..., object], also: Sequence[str]) -> None:
        self.functions: list[FunctionType] = []
        self.modules: dict[str, ModuleType] = {}
        self.missing: list[str] = []
        self._also = tuple(also)
        self._seen: dict[int, object] = {}
        self._queue: deque[Any] = deque([scenario])
        for name in also:
            self._include(name)
        while self._queue and len(self._seen) < _OBJECTS:
            each = self._queue.popleft()
            if id(each) not in self._seen:
                self._seen[id(each)] = each  # kept, so that no other object gets its id
                self._queue.extend(self._next(each))
        if self._queue:
            self.missing.append(
                f"the scenario reaches more than {_OBJECTS} objects; the rest was not looked at"
            )
        self._seen.clear()

    def is_ours(self, name: str | None, file: str | None) -> bool:
        """Is a module or function of this module name and file one to rewrite?"""
        if name is not None and any(name == each or name.startswith(each + ".") for each in self._also):
            return True
        return is_local(file)

    def _include(self, name: str) -> None:
        try:
            importlib.import_module(name)
        except ImportError as error:
            self.missing.append(f"{name}: {error}")
            return
        for found, module in list(sys.modules.items()):
            if (found == name or found.startswith(name + ".")) and isinstance(module, ModuleType):
                self._module(found)

    def _module(self, name: str | None) -> Iterator[Any]:
        module = sys.modules.get(name) if name else None
        if name is None or not isinstance(module, ModuleType) or name in self.modules:
            return iter(())
        file = getattr(module, "__file__", None)
        if not self.is_ours(name, file) or (file is None and name != "__main__"):
            return iter(())
        self.modules[name] = module
        if file is not None and not file.endswith((".py", ".pyw", ".pyc")):
            self.missing.append(f"{name}: not written in Python")
        values = list(vars(module).values())
        self._queue.extend(values)
        return iter(())

    def _next(self, each: Any) -> Iterator[Any]:
        if isinstance(each, FunctionType):
            yield from self._of_function(each)
        elif isinstance(each, type):
            if self.is_ours(each.__module__, self._file_of(each.__module__)):
                self._module(each.__module__)
                yield from list(each.__dict__.values())
                yield from each.__bases__
        elif isinstance(each, ModuleType):
            self._module(getattr(each, "__name__", None))
        elif isinstance(each, (staticmethod, classmethod)) or type(each).__name__ == "method":
            yield each.__func__
            yield getattr(each, "__self__", None)
        elif isinstance(each, property):
            yield from (each.fget, each.fset, each.fdel)
        elif isinstance(each, (functools.partial, functools.partialmethod)):
            yield from (each.func, each.args, each.keywords)
        elif isinstance(each, functools.cached_property):
            yield each.func
        elif isinstance(each, dict):
            yield from list(each.values())[:_ITEMS]
        elif isinstance(each, (list, tuple, set, frozenset, deque)):
            yield from list(each)[:_ITEMS]
        else:
            yield from self._of_instance(each)

    def _file_of(self, module: str | None) -> str | None:
        return getattr(sys.modules.get(module or ""), "__file__", None)

    def _of_function(self, function: FunctionType) -> Iterator[Any]:
        file: str | None = function.__code__.co_filename
        if file is not None and file.startswith("<") and not linecache.getlines(file):
            file = self._file_of(function.__module__)  # made by `exec` in a module that may be ours
        if self.is_ours(function.__module__, file):
            self.functions.append(function)
            self._module(function.__module__)
            yield function.__defaults__
            yield function.__kwdefaults__
        yield function.__dict__
        for cell in function.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # not bound yet
                continue

    def _of_instance(self, each: Any) -> Iterator[Any]:
        try:
            names = object.__getattribute__(each, "__dict__")
        except AttributeError:
            names = {}
        kind = type(each)
        if self.is_ours(kind.__module__, self._file_of(kind.__module__)):
            yield kind
            yield names
        elif type(names) is dict and "__wrapped__" in names:  # such as what `functools.lru_cache` makes
            yield names["__wrapped__"]
