"""Exceptions as bytes: type, arguments and attributes, of which those that cannot go are left out or replaced."""

from __future__ import annotations

import copyreg
import io
import pickle
from typing import Any

from headway.run.process.by_value import Pickler
from headway.run.process.failure import rebuild

__all__ = ["pickle_exception"]

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement, not by C


def pickle_exception(thing: object, strict: bool) -> bytes:
    """Pickle something with exceptions in it.

    Args:
        thing: It.
        strict: Whether to pickle them in our way, whatever their classes say.
    Raises:
        Exception: It cannot be pickled.
    """
    with io.BytesIO() as file:
        _Pickler(file, strict).dump(thing)
        return file.getvalue()


class _Pickler(Pickler):
    """Rebuilds exceptions without calling `__init__`, whose arguments may not be the `args` they keep."""

    def __init__(self, file: io.BytesIO, strict: bool) -> None:
        super().__init__(file)
        self._strict = strict

    def reducer_override(self, thing: Any) -> Any:
        if not isinstance(thing, BaseException):
            return super().reducer_override(thing)
        cls = type(thing)
        own = cls.__reduce_ex__ is not BaseException.__reduce_ex__ or _heap_reduce(cls)
        if own and not self._strict:
            # The class says how it is pickled; if that does not work, the second try does without.
            return thing.__reduce_ex__(5)
        return _reduce(thing)


def _heap_reduce(cls: type) -> bool:
    """Whether a class, or one that it inherits from, defines `__reduce__` in Python."""
    return any("__reduce__" in vars(base) for base in cls.__mro__ if base.__flags__ & _HEAP_TYPE)


def _reduce(error: BaseException) -> tuple[Any, ...]:
    """How to rebuild an exception from its type, its arguments and its attributes."""
    base = next(base for base in type(error).__mro__ if not base.__flags__ & _HEAP_TYPE)
    parts = base.__reduce__(error)  # type: ignore[call-arg]
    made = parts[1] if isinstance(parts, tuple) else error.args
    state = dict(parts[2]) if len(parts) > 2 and isinstance(parts[2], dict) else dict(vars(error))
    for name in copyreg._slotnames(type(error)):  # type: ignore[attr-defined]
        if hasattr(error, name):
            state[name] = getattr(error, name)
    lost = []
    args = []
    for index, arg in enumerate(made):
        if _goes(arg):
            args.append(arg)
        else:
            args.append(_repr(arg))
            lost.append(f"args[{index}]")
    for name in [name for name, value in state.items() if not _goes(value)]:
        del state[name]
        lost.append(name)
    if lost:
        note = f"headway: could not be sent from the worker: {', '.join(lost)}"
        state["__notes__"] = [*state.get("__notes__", ()), note]
    links = [link if link is None or _goes(link) else None for link in (error.__cause__, error.__context__)]
    return rebuild, (type(error), base, tuple(args), state, *links, error.__suppress_context__)


def _goes(thing: object) -> bool:
    try:
        pickle.loads(pickle_exception(thing, False))
    except Exception:
        return False
    return True


def _repr(thing: object) -> str:
    try:
        return repr(thing)[:500]
    except Exception:
        return f"<{type(thing).__qualname__}>"
