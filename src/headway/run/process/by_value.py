"""Pickling by value, for what a worker cannot import."""

import io
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle  # type: ignore[import-untyped]

__all__ = ["pickle_by_value"]


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """Cloudpickle's pickler, which also knows context variables."""

    def reducer_override(self, thing: Any) -> Any:
        return super().reducer_override(thing)


def pickle_by_value(thing: object, buffer_callback: Callable[[pickle.PickleBuffer], bool]) -> bytes:
    """Pickle functions and classes of `__main__`, nested ones and lambdas by value, all else in place."""
    with io.BytesIO() as file:
        Pickler(file, protocol=5, buffer_callback=buffer_callback).dump(thing)
        return file.getvalue()
