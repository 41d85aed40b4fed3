"""Whether a function changes something of this process, which a copy of it elsewhere would not change."""

from __future__ import annotations

import collections
import dis
import functools
import io
import queue
import socket
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["effect"]

_CONTAINERS = (list, dict, set, bytearray, collections.deque)
_SHARED = (
    queue.Queue,
    queue.SimpleQueue,
    io.IOBase,
    socket.socket,
    threading.Thread,
    threading.local,
    threading.Event,
    threading.Condition,
    threading.Semaphore,
    threading.Barrier,
    type(threading.Lock()),
    type(threading.RLock()),
)
_CHANGING = frozenset(
    {
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "extendleft",
        "insert",
        "pop",
        "popitem",
        "popleft",
        "put",
        "put_nowait",
        "remove",
        "reverse",
        "rotate",
        "setdefault",
        "sort",
        "subtract",
        "update",
        "__setitem__",
        "__delitem__",
    }
)
_DEPTH = 3


def effect(fn: Callable[..., Any]) -> str | None:
    """Why calls of a function must stay in this process, as far as its code shows it.

    Looked for, in the function and in those of the same module that it calls: an assignment to a global or to a
    variable of an enclosing function; a change to a container that is one of these; the use of a lock, queue,
    event, thread, file or socket that is one of these; a method of such an object; a method, or an object that is
    called, that assigns attributes of its own or changes what they hold. What happens inside other modules, and to
    arguments, is not seen.

    Returns:
        The reason, such as "it changes the list `seen`"; None if there is none to be seen.
    """
    fn = _uncached(fn)
    while isinstance(fn, functools.partial):
        shared = [value for value in (*fn.args, *fn.keywords.values()) if isinstance(value, _SHARED)]
        if shared:
            return f"it is given a {type(shared[0]).__name__} of this process"
        fn = _uncached(fn.func)
    owner = getattr(fn, "__self__", None)
    if isinstance(owner, (*_CONTAINERS, *_SHARED)):
        return f"it is a method of a {type(owner).__name__} of this process"
    if not isinstance(fn, types.FunctionType | types.MethodType | types.BuiltinFunctionType | type):
        fn = getattr(fn, "__call__", fn)  # noqa: B004 (the method is what is wanted)
    if isinstance(fn, types.MethodType) and isinstance(fn.__func__, types.FunctionType):
        changed = _of_own_object(fn.__func__.__code__)
        if changed is not None:
            return changed
        fn = fn.__func__
    return _of_function(fn, _DEPTH, set()) if isinstance(fn, types.FunctionType) else None


def _uncached(fn: Any) -> Any:
    """What `functools.cache` or `lru_cache` was put around."""
    return fn.__wrapped__ if hasattr(fn, "cache_parameters") and hasattr(fn, "__wrapped__") else fn


def _of_own_object(code: types.CodeType) -> str | None:
    """What a method does to the object that it belongs to."""
    own = code.co_varnames[:1]
    at_own = False
    for step in dis.get_instructions(code):
        if step.opname.startswith("LOAD_FAST"):
            # From 3.13 on one step may load two variables; the second is what comes next.
            at_own = (step.argval[-1:] if isinstance(step.argval, tuple) else (step.argval,)) == own
        elif step.opname in ("STORE_ATTR", "DELETE_ATTR"):
            return f"it assigns the attribute `{step.argval}`"
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            if at_own and step.argval in _CHANGING:
                return f"it calls `{step.argval}` on what its object holds"
        elif step.opname in ("STORE_SUBSCR", "DELETE_SUBSCR") and at_own:
            return "it changes what its object holds"
        elif step.opname not in ("COPY", "LOAD_CONST", "SWAP", "CACHE", "EXTENDED_ARG", "BINARY_SUBSCR"):
            at_own = False
    return None


def _of_function(fn: types.FunctionType, depth: int, seen: set[types.CodeType]) -> str | None:
    if fn.__code__ in seen:
        return None
    seen.add(fn.__code__)
    cells = dict(zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=False))

    def value_of(name: str) -> Any:
        try:
            return cells[name].cell_contents if name in cells else fn.__globals__.get(name)
        except ValueError:  # a cell that is still empty
            return None

    for code in _codes(fn.__code__):
        found = _of_code(code, frozenset(cells), value_of)
        if found is not None:
            return found
        if not depth:
            continue
        for name in code.co_names + code.co_freevars:
            called = _uncached(value_of(name))
            if isinstance(called, types.FunctionType) and called.__module__ == fn.__module__:
                found = _of_function(called, depth - 1, seen)
                if found is not None:
                    return f"`{called.__name__}`, which it calls: {found}"
    return None


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code and that of the functions, lambdas and comprehensions that are defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _of_code(code: types.CodeType, free: frozenset[str], value_of: Callable[[str], Any]) -> str | None:
    loaded: tuple[str, Any] | None = None
    containers: list[tuple[str, Any]] = []
    for step in dis.get_instructions(code):
        name = step.argval if isinstance(step.argval, str) else ""
        if step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            return f"it assigns the global `{name}`"
        if step.opname in ("STORE_DEREF", "DELETE_DEREF") and name in free:
            return f"it assigns `{name}` of an enclosing function"
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") or (step.opname == "LOAD_DEREF" and name in free):
            value = value_of(name)
            if isinstance(value, _SHARED):
                return f"it uses the {type(value).__name__} `{name}`"
            loaded = (name, value) if isinstance(value, _CONTAINERS) else None
            if loaded is not None:
                containers.append(loaded)
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            if loaded is not None and name in _CHANGING:
                return f"it changes the {type(loaded[1]).__name__} `{loaded[0]}`"
            loaded = None
        elif step.opname in ("STORE_SUBSCR", "DELETE_SUBSCR") and containers:
            # Which object is meant is not followed; a lookup table beside a local change stays here, too.
            return f"it may change the {type(containers[-1][1]).__name__} `{containers[-1][0]}`"
    return None
