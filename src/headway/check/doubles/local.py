"""`threading.local`: what it holds belongs to the unit, since a thread that carries units carries many."""

from __future__ import annotations

import threading
from typing import Any

from headway.check.world import here

__all__ = ["Local"]

_RealLocal = threading.local
_get = object.__getattribute__
_HIDDEN = frozenset({"__class__", "__init__", "__setattr__", "__delattr__", "__getattribute__", "__new__"})


class Local:
    """A `threading.local`, to be used and subclassed as that."""

    __slots__ = ("__weakref__", "_headway_args", "_headway_outside")

    def __new__(cls, /, *args: Any, **kwargs: Any) -> Local:
        """As `threading.local`: the arguments are kept for the `__init__` of each unit."""
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported")
        made = object.__new__(cls)
        object.__setattr__(made, "_headway_args", (args, kwargs))
        object.__setattr__(made, "_headway_outside", _RealLocal())
        _values(made, fresh=True)
        return made

    def __getattribute__(self, name: str) -> Any:
        if name in _HIDDEN:
            return _get(self, name)
        values = _values(self)
        if name == "__dict__":
            return values
        try:
            return values[name]
        except KeyError:
            return _get(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        descriptor = getattr(type(self), name, None)
        if hasattr(type(descriptor), "__set__"):
            object.__setattr__(self, name, value)
        elif name == "__dict__":
            raise AttributeError(f"{type(self).__name__!r} object attribute '__dict__' is read-only")
        else:
            _values(self)[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del _values(self)[name]
        except KeyError:
            object.__delattr__(self, name)


def _values(local: Local, *, fresh: bool = False) -> dict[str, Any]:
    """What the calling unit or thread has in it. `fresh`: Python calls `__init__` itself."""
    me = here()
    store = me.locals if me is not None else _get(local, "_headway_outside").__dict__
    values: dict[str, Any] | None = store.get(local)
    if values is None:
        values = store[local] = {}
        if not fresh and type(local).__init__ is not object.__init__:
            args, kwargs = _get(local, "_headway_args")
            type(local).__init__(local, *args, **kwargs)
    return values
