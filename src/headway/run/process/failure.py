"""Exceptions on their way from a worker: type, arguments, attributes and notes are kept, tracebacks become text."""

from __future__ import annotations

import copyreg
import io
import pickle
from typing import Any

from headway.errors import RemoteError
from headway.run.process.by_value import Pickler

__all__ = ["RemoteTraceback", "pack_failure", "unpack_failure"]

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement, not by C


class RemoteTraceback(Exception):
    """The traceback of an exception in the worker that raised it; the cause of that exception, so that it prints."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def pack_failure(error: BaseException) -> bytes:
    """Pickle what a call raised.

    An attribute that cannot go is left out, an argument that cannot go is replaced by its repr; a note says so.
    What cannot be rebuilt even then becomes a RemoteError.
    """
    text = _traceback_of(error)
    for strict in (False, True):
        try:
            data = _pickle((error, text), strict)
            pickle.loads(data)
            return data
        except Exception:
            continue
    what = f"{type(error).__module__}.{type(error).__qualname__}"
    stand_in = RemoteError(
        f"a call raised {what}, which cannot be sent to this process\n{text}",
        hint=f"let {what} be pickled, or catch it in the call",
    )
    return pickle.dumps((stand_in, text), 5)


def unpack_failure(data: bytes | memoryview) -> BaseException:
    """Unpickle what a call raised, with the worker's traceback as the cause that comes first."""
    error: BaseException
    try:
        error, text = pickle.loads(data)
    except Exception as failed:
        return RemoteError(
            f"a call raised an exception that cannot be unpickled here: {type(failed).__name__}: {failed}"
        )
    first, seen = error, {id(error)}
    while first.__cause__ is not None and id(first.__cause__) not in seen:
        first = first.__cause__
        seen.add(id(first))
    if not isinstance(first, RemoteTraceback) and first.__cause__ is None:
        first.__cause__ = RemoteTraceback(text)
    return error


def _traceback_of(error: BaseException) -> str:
    import traceback

    try:
        frames = error.__traceback__
        # The frames above the call are ours.
        while frames is not None and frames.tb_frame.f_globals.get("__package__") == __package__:
            frames = frames.tb_next
        return "".join(traceback.format_exception(type(error), error, frames or error.__traceback__))
    except Exception:  # a __str__ that raises
        return f"{type(error).__qualname__}\n"


def _pickle(thing: object, strict: bool) -> bytes:
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
    return _rebuild, (type(error), base, tuple(args), state, *links, error.__suppress_context__)


def _rebuild(
    cls: type[BaseException],
    base: type[BaseException],
    args: tuple[Any, ...],
    state: dict[str, Any],
    cause: BaseException | None,
    context: BaseException | None,
    suppress: bool,
) -> BaseException:
    error = base.__new__(cls, *args)
    base.__init__(error, *args)
    for name, value in state.items():
        object.__setattr__(error, name, value)
    error.__cause__, error.__context__ = cause, context
    error.__suppress_context__ = suppress
    return error


def _goes(thing: object) -> bool:
    try:
        pickle.loads(_pickle(thing, False))
    except Exception:
        return False
    return True


def _repr(thing: object) -> str:
    try:
        return repr(thing)[:500]
    except Exception:
        return f"<{type(thing).__qualname__}>"
