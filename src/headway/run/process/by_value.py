"""Pickling by value, for what a worker cannot import."""

from __future__ import annotations

import contextvars
import io
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import cloudpickle

from headway.run.process.variables import find_variable, name_of

__all__ = ["pickle_by_value"]

_lock = threading.RLock()


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """Cloudpickle's pickler, which also knows context variables."""

    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, contextvars.ContextVar):
            name = name_of(thing)
            if name is not None:
                return find_variable, name
        return super().reducer_override(thing)


def pickle_by_value(
    thing: object, buffer_callback: Callable[[pickle.PickleBuffer], bool], local: Sequence[bytes]
) -> bytes:
    """Pickle functions and classes of some modules, nested ones and lambdas by value, all else in place.

    Args:
        thing: Anything.
        buffer_callback: As for pickle.
        local: The names of the modules; `__main__` is always one.
    """
    modules = [sys.modules[name.decode()] for name in local if name != b"__main__"]
    with io.BytesIO() as file:
        if not modules:
            _Pickler(file, protocol=5, buffer_callback=buffer_callback).dump(thing)
            return file.getvalue()
        # cloudpickle has one register for the whole process.
        with _lock:
            registered = cloudpickle.list_registry_pickle_by_value()
            added = [module for module in modules if module.__name__ not in registered]
            for module in added:
                cloudpickle.register_pickle_by_value(module)
            try:
                _Pickler(file, protocol=5, buffer_callback=buffer_callback).dump(thing)
            finally:
                for module in added:
                    cloudpickle.unregister_pickle_by_value(module)
        return file.getvalue()
