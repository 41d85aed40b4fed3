"""A pool of two processes, and calls that are waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from headway.run.backends.contract import Setup
from headway.run.backends.processes import Processes
from headway.run.batch import Batch, Portion


class Outcome:
    """What became of a batch, as its portions come."""

    def __init__(self, count: int) -> None:
        self.values: dict[int, Any] = {}
        self.errors: dict[int, BaseException] = {}
        self.portions: list[Portion] = []
        self.batch: Batch | None = None
        self._count = count
        self._changed = threading.Condition()

    def sink(self, portion: Portion) -> None:
        with self._changed:
            self.portions.append(portion)
            for place, value in enumerate(portion.values):
                number = portion.first + place
                assert number not in self.values
                assert number not in self.errors, f"call {number} was delivered twice"
                if place in portion.errors:
                    self.errors[number] = portion.errors[place]
                else:
                    self.values[number] = value
            self._changed.notify_all()

    def wait_for(self, count: int) -> Outcome:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.values) + len(self.errors) >= count, 50)
        return self

    def wait(self) -> Outcome:
        return self.wait_for(self._count)

    def list(self) -> list[Any]:
        """All values, in order; the first error is raised."""
        self.wait()
        for error in self.errors.values():
            raise error
        return [self.values[number] for number in range(self._count)]


class Client:
    """Gives batches to a backend."""

    def __init__(self, backend: Processes) -> None:
        self.backend = backend

    def start(self, fn: Callable[..., Any], items: Sequence[Any], **options: Any) -> Outcome:
        outcome = Outcome(len(items))
        outcome.batch = Batch(fn, items, outcome.sink, **options)
        self.backend.submit(outcome.batch)
        return outcome

    def run(self, fn: Callable[..., Any], items: Sequence[Any], **options: Any) -> list[Any]:
        return self.start(fn, items, **options).list()

    def each(self, fn: Callable[..., Any], items: Sequence[Any], **options: Any) -> list[Outcome]:
        """One batch for each item."""
        return [self.start(fn, [item], **options) for item in items]


MakeClient = Callable[..., Client]


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    made: list[Client] = []

    def make(workers: int = 2, **setup: Any) -> Client:
        made.append(Client(Processes(workers, Setup(**setup))))
        return made[-1]

    yield make
    for client in made:
        client.backend.close(abort=True)


@pytest.fixture
def client(make_client: MakeClient) -> Client:
    return make_client()
