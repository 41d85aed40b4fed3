"""Exceptions on their way from a worker: type, arguments, attributes and notes are kept, tracebacks become text."""

from __future__ import annotations

import pickle
from typing import Any

from headway.errors import RemoteError

__all__ = ["RemoteTraceback", "pack_failure", "unpack_failure"]


class RemoteTraceback(Exception):
    """The traceback of an exception in the worker that raised it; the cause of that exception, so that it prints."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def pack_failure(error: BaseException) -> bytes:
    """Pickle what a call raised.

    An attribute that cannot go is left out, an argument that cannot go is replaced by its repr; a note says so.
    What cannot be rebuilt even then becomes a RemoteError.
    """
    from headway.run.process.exception_pickler import pickle_exception  # nobody who receives one needs it

    text = _traceback_of(error)
    for strict in (False, True):
        try:
            data = pickle_exception((error, text), strict)
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


def rebuild(
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
