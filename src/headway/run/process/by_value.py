"""Pickling by value, for what a worker cannot import."""

from __future__ import annotations

import contextvars
import functools
import hashlib
import io
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import cloudpickle

from headway.run.process.cached import make_cached
from headway.run.process.variables import find_variable, name_of

__all__ = ["CACHED", "Pickler", "pickle_by_value"]

Collector = Callable[[pickle.PickleBuffer], object]

CACHED: tuple[type, ...] = tuple(filter(lambda cls: isinstance(cls, type), [functools._lru_cache_wrapper]))
"""The class of what `functools.lru_cache` makes; without its C version there is none."""

_lock = threading.RLock()


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """Cloudpickle's pickler, which also knows context variables and cached functions, and refuses files.

    Args:
        file: Where the pickle goes.
        protocol: Of pickle.
        buffer_callback: As for pickle.
        salt: Cached functions that are sent with another one are others to the worker.
    """

    def __init__(
        self,
        file: io.BytesIO,
        protocol: int = 5,
        buffer_callback: Collector | None = None,
        salt: bytes | None = b"",
    ) -> None:
        super().__init__(file, protocol=protocol, buffer_callback=buffer_callback)
        self._salt = salt

    def reducer_override(self, thing: Any) -> Any:
        """As cloudpickle's, which asks it first."""
        if isinstance(thing, contextvars.ContextVar):
            name = name_of(thing)
            if name is not None:
                return find_variable, name
        if isinstance(thing, io.TextIOWrapper) and thing is not sys.stdout and thing is not sys.stderr:
            # As pickle says of other files. Cloudpickle would read it, and send a copy of what is in it.
            raise TypeError(f"cannot pickle '{type(thing).__module__}.{type(thing).__qualname__}' object")
        if isinstance(thing, CACHED) and not _goes_by_name(thing):
            return self._reduce_cached(thing)
        return super().reducer_override(thing)

    def _reduce_cached(self, thing: Any) -> tuple[Any, ...]:
        made = thing.cache_parameters()
        # Its cache and what makes it belong to the one that is made there.
        own = {
            name: value
            for name, value in vars(thing).items()
            if name not in ("__wrapped__", "cache_parameters")
        }
        key = b"" if self._salt is None else self._salt + _digest((thing.__wrapped__, own))
        return make_cached, (thing.__wrapped__, made["maxsize"], made["typed"], key), own


def _goes_by_name(thing: Any) -> bool:
    """Whether a worker finds it where it was defined."""
    name = getattr(thing, "__module__", None)
    if name is None or name == "__main__" or name in cloudpickle.list_registry_pickle_by_value():
        return False
    found: Any = sys.modules.get(name)
    for part in getattr(thing, "__qualname__", "").split("."):
        found = getattr(found, part, None)
    return found is thing


def _digest(thing: object) -> bytes:
    """The same for what is the same, down to the globals that it uses."""
    digest = hashlib.blake2b(digest_size=16)

    def add(buffer: pickle.PickleBuffer) -> bool:
        try:
            digest.update(buffer.raw())
        except BufferError:  # not contiguous
            return True
        return False

    with io.BytesIO() as file:
        Pickler(file, buffer_callback=add, salt=None).dump(thing)
        digest.update(file.getbuffer())
    return digest.digest()


def pickle_by_value(
    thing: object,
    buffer_callback: Collector | None,
    local: Sequence[bytes] = (),
    *,
    protocol: int = 5,
    salt: bytes = b"",
) -> bytes:
    """Pickle functions and classes of some modules, nested ones and lambdas by value, all else in place.

    Args:
        thing: Anything.
        buffer_callback: As for pickle.
        local: The names of the modules; `__main__` is always one.
        protocol: Of pickle.
        salt: As for `Pickler`.
    """
    modules = [sys.modules[name.decode()] for name in local if name != b"__main__"]
    with io.BytesIO() as file:
        if not modules:
            Pickler(file, protocol, buffer_callback, salt).dump(thing)
            return file.getvalue()
        # cloudpickle has one register for the whole process.
        with _lock:
            registered = cloudpickle.list_registry_pickle_by_value()
            added = [module for module in modules if module.__name__ not in registered]
            for module in added:
                cloudpickle.register_pickle_by_value(module)
            try:
                Pickler(file, protocol, buffer_callback, salt).dump(thing)
            finally:
                for module in added:
                    cloudpickle.unregister_pickle_by_value(module)
        return file.getvalue()
