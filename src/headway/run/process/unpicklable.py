"""Where in an object the thing lies that cannot be pickled."""

from __future__ import annotations

import types
from collections.abc import Iterator

from headway.errors import CannotSend
from headway.run.identity import name_of
from headway.run.process.payload import dump

__all__ = ["cannot_return", "cannot_send"]

MOST = 2000
"""Parts that are tried at most: the answer is for a person, who waits for it."""


def cannot_send(thing: object, name: str, error: BaseException) -> CannotSend:
    """The error for something that cannot be sent, which names the smallest part that cannot.

    Args:
        thing: What was to be sent.
        name: What the path to the bad part begins with.
        error: What pickling it raised.
    """
    path, cause = _find(thing, name, error)
    text = str(cause) or type(cause).__name__
    made = CannotSend(
        f"{path}: {text}",
        hint="send what it is made from instead, and make it in the call",
    )
    made.path = path
    return made


def cannot_return(value: object, fn: object, error: BaseException) -> CannotSend:
    """The error for a result that cannot be sent, which names the function and the smallest part that cannot.

    Args:
        value: What the call returned.
        fn: What was called.
        error: What pickling the result raised.
    """
    path, cause = _find(value, "result", error)
    if isinstance(value, types.CoroutineType):
        value.close()  # else Python complains that nobody awaited it
    text = str(cause) or type(cause).__name__
    instead = (
        "return what can be sent, such as the numbers, text, lists, dicts or arrays that are wanted of it"
    )
    whole = path == "result"
    hint = _RETURN.get(type(value).__name__, instead) if whole else f"leave {path} out of what is returned"
    made = CannotSend(
        f"{path}: {name_of(fn)} returned {_kind(value)}: {text}",
        hint=hint,
    )
    made.path = path
    return made


_RETURN = {
    "generator": "return a list of what it yields",
    "async_generator": "return a list of what it yields",
    "coroutine": "give on='asyncio', which awaits what the function returns",
    "TextIOWrapper": "return what is in the file, or its path",
    "BufferedReader": "return what is in the file, or its path",
}
"""What to return instead of a thing of these types."""


def _kind(thing: object) -> str:
    """What it is, with an article."""
    name = type(thing).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _find(thing: object, path: str, error: BaseException) -> tuple[str, BaseException]:
    tried = 0
    seen = {id(thing)}
    while True:
        for part, step in _parts(thing):
            if id(part) in seen:
                continue
            seen.add(id(part))
            tried += 1
            if tried > MOST:
                return path, error
            try:
                dump(part)
            except Exception as cause:
                thing, path, error = part, path + step, cause
                break
        else:
            return path, error


def _parts(thing: object) -> Iterator[tuple[object, str]]:
    """What an object is pickled as, part by part, and how each is written behind the object's own name."""
    if isinstance(thing, dict):
        for key, value in list(thing.items()):
            yield value, f"[{_short(key)}]"
            yield key, f".keys()[{_short(key)}]"
    elif isinstance(thing, (list, tuple)):
        for place, value in enumerate(thing):
            yield value, f"[{place}]"
    elif isinstance(thing, (set, frozenset)):
        for value in list(thing):
            yield value, f"{{{_short(value)}}}"
    elif isinstance(thing, types.MethodType):
        yield thing.__self__, ".__self__"
        yield thing.__func__, ".__func__"
    elif isinstance(thing, types.FunctionType):
        yield from _parts_of_function(thing)
    elif hasattr(thing, "cache_parameters"):
        yield getattr(thing, "__wrapped__", None), ".__wrapped__"
    elif not isinstance(thing, (type, types.ModuleType)):
        yield from _parts_of_instance(thing)


def _parts_of_function(function: types.FunctionType) -> Iterator[tuple[object, str]]:
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield cell.cell_contents, f".{name}"
        except ValueError:  # not yet assigned
            continue
    for name in code.co_names:
        if name in function.__globals__:
            yield function.__globals__[name], f".{name}"
    for place, value in enumerate(function.__defaults__ or ()):
        yield value, f".__defaults__[{place}]"
    for name, value in (function.__kwdefaults__ or {}).items():
        yield value, f".__kwdefaults__[{name!r}]"


def _parts_of_instance(thing: object) -> Iterator[tuple[object, str]]:
    for name in ("func", "args", "keywords") if type(thing).__name__ == "partial" else ():
        yield getattr(thing, name, None), f".{name}"
    try:
        state = thing.__getstate__()
    except Exception:
        state = getattr(thing, "__dict__", None)
    for one in state if isinstance(state, tuple) else (state,):
        if isinstance(one, dict):
            for name, value in list(one.items()):
                yield value, f".{name}"


def _short(thing: object) -> str:
    try:
        return repr(thing)[:60]
    except Exception:
        return type(thing).__qualname__
