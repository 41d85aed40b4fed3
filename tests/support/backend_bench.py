"""One way to write a call and submit it, whatever backend runs it.

A call is written once, as a generator that yields where it waits; each backend runs it in its own way. All calls
are closures or from here, so they go by value to where no test can be imported, and they meet in files.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from headway.run.backends.contract import Backend, Setup
from headway.run.backends.open import open_backend
from headway.run.batch import Batch, Portion

cloudpickle.register_pickle_by_value(sys.modules[__name__])

Steps = Callable[..., Generator[None, None, Any]]

LOCAL = ["serial", "threads", "asyncio", "greenlets", "executor of threads"]
CLUSTERS = ["dask", "ray"]
ALL = [*LOCAL, "processes", "interpreters", "executor of processes", *CLUSTERS]
STOPPABLE = ["asyncio", "greenlets", "processes", "ray"]
APART = [name for name in ALL if name not in LOCAL]
CONCURRENT = [name for name in ALL if name != "serial"]


def in_turn(steps: Steps, pause: Callable[[float], object] = time.sleep) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        walk = steps(*args, **kwargs)
        while True:
            try:
                next(walk)
            except StopIteration as stop:
                return stop.value
            pause(0.002)

    return call


def in_task(steps: Steps) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        import asyncio

        walk = steps(*args, **kwargs)
        while True:
            try:
                next(walk)
            except StopIteration as stop:
                return stop.value
            await asyncio.sleep(0.002)

    return call


def in_greenlet(steps: Steps) -> Callable[..., Any]:
    return in_turn(steps, lambda seconds: importlib.import_module("gevent").sleep(seconds))


class Outcomes:
    """What came back, of any number of batches, by the batch and the place in it."""

    def __init__(self) -> None:
        self.values: dict[tuple[Batch, int], Any] = {}
        self.errors: dict[tuple[Batch, int], BaseException] = {}
        self.portions: list[Portion] = []
        self.twice = 0
        self._changed = threading.Condition()

    def sink(self, portion: Portion) -> None:
        with self._changed:
            self.portions.append(portion)
            for place, value in enumerate(portion.values):
                key = (portion.batch, portion.first + place)
                self.twice += key in self.values or key in self.errors
                if place in portion.errors:
                    self.errors[key] = portion.errors[place]
                else:
                    self.values[key] = value
            self._changed.notify_all()

    def wait(self, count: int) -> None:
        with self._changed:
            # Below pytest's limit, which would end the run.
            came = self._changed.wait_for(lambda: len(self.values) + len(self.errors) >= count, timeout=40)
        assert came, f"{len(self.values)} values and {len(self.errors)} errors came, not {count} in all"

    def of(self, batch: Batch) -> list[Any]:
        """The values of a batch in order; what failed is there as its error."""
        keys = [(batch, place) for place in range(len(batch))]
        return [self.errors[key] if key in self.errors else self.values[key] for key in keys]


class Bench:
    """A way to open backends of one kind, and to submit to them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.outcomes = Outcomes()
        self._open: list[Backend] = []
        self._executors: list[Any] = []

    def open(self, workers: int = 2, setup: Setup = Setup()) -> Backend:
        on: Any = self.name
        if self.name == "executor of threads":
            on = ThreadPoolExecutor(8)
        elif self.name == "executor of processes":
            on = ProcessPoolExecutor(max(workers, 2), mp_context=get_context("spawn"))
        if not isinstance(on, str):
            self._executors.append(on)
        backend = open_backend(on, workers, setup)
        self._open.append(backend)
        return backend

    def batch(self, steps: Steps, items: list[Any], **options: Any) -> Batch:
        way = {"asyncio": in_task, "greenlets": in_greenlet}.get(self.name, in_turn)
        return Batch(way(steps), items, self.outcomes.sink, **options)

    def close(self) -> None:
        for backend in self._open:
            backend.close(abort=True)
        for executor in self._executors:
            executor.shutdown()


def over(names: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("bench", names, indirect=True, ids=lambda name: name.replace(" ", "_"))


def square(x: int) -> Generator[None, None, int]:
    yield
    return x * x


def endless(path: Path) -> Generator[None, None, None]:
    path.touch()
    while True:
        yield


def meeting(place: Path, count: int) -> Steps:
    """A call that waits until so many have begun."""

    def meet(name: int) -> Generator[None, None, int]:
        (place / str(name)).touch()
        while len(os.listdir(place)) < count:
            yield
        return name

    return meet
