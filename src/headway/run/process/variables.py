"""Context variables on their way to a worker: a variable goes by the name of the module that has it."""

from __future__ import annotations

import sys
from contextvars import Context, ContextVar

TYPE_CHECKING = False  # of `typing`, which would cost every worker some milliseconds
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Name = tuple[str, str]

__all__ = ["Carrier", "Name", "find_variable", "make_context", "name_of"]

_FIXED = frozenset({int, float, str, bytes, bool, type(None)})

_names: dict[ContextVar[Any], Name | None] = {}
_made: dict[Name, ContextVar[Any]] = {}


def name_of(variable: ContextVar[Any]) -> Name | None:
    """The module that has a variable and its name there; None if none has."""
    if variable not in _names:
        if len(_names) > 1000:
            _names.clear()
        made = [name for name, ours in _made.items() if ours is variable]
        _names[variable] = made[0] if made else _search(variable)
    return _names[variable]


def _search(variable: ContextVar[Any]) -> Name | None:
    modules = [
        (name, vars(module)) for name, module in list(sys.modules.items()) if hasattr(module, "__dict__")
    ]
    for module, names in modules:  # most are named like their place
        if names.get(variable.name) is variable:
            return module, variable.name
    for module, names in modules:
        for name, value in list(names.items()):
            if value is variable:
                return module, name
    return None


def find_variable(module: str, name: str) -> ContextVar[Any]:
    """The variable of that name; one of a module that goes by value, which a worker has not, is made."""
    try:
        __import__(module)
        found = getattr(sys.modules[module], name)
        if isinstance(found, ContextVar):
            return found
    except (ImportError, AttributeError):
        pass
    return _made.setdefault((module, name), ContextVar(name))


class Carrier:
    """Packs contexts to be sent, each of them once."""

    def __init__(self) -> None:
        self._number = 0
        self._items: list[tuple[ContextVar[Any], Any]] = []
        self._data = b""

    def pack(self, context: Context, local: Sequence[bytes]) -> tuple[int, bytes]:
        """The number of what can be sent of a context, 0 if that is nothing, and it.

        Left out are variables that no module has, such as those of C modules, and values that cannot be pickled.
        """
        if not context:
            return 0, b""
        items = list(context.items())
        # Subtle: what can change inside has to be pickled to see whether it did.
        if (
            len(items) == len(self._items)
            and all(a is c and b is d for (a, b), (c, d) in zip(items, self._items, strict=True))
            and all(type(value) in _FIXED for _, value in items)
        ):
            return self._number if self._data else 0, self._data
        from _pickle import dumps

        from headway.run.process.payload import dump

        packed = []
        for variable, value in items:
            name = name_of(variable)
            if name is not None:
                try:
                    (data, buffers), _ = dump(value, local)
                except Exception:
                    continue
                if not buffers:
                    packed.append((name, data))
        data = dumps(packed, 5) if packed else b""
        if data != self._data:
            self._number += 1
        self._items, self._data = items, data
        return self._number if data else 0, data


def make_context(packed: Sequence[tuple[Name, bytes]]) -> Context:
    """What was packed as a context; without variables that cannot be found here."""
    from _pickle import loads

    context = Context()
    for name, value in packed:
        try:
            context.run(find_variable(*name).set, loads(value))
        except Exception:
            continue
    return context
