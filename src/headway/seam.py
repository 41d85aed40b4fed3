"""The seam: where headway's own concurrency reports what it does, for whoever wants to watch.

Nothing is installed by default, and then a report costs one look at an empty list.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = [
    "JobsEnded",
    "JobsSubmitted",
    "Observer",
    "ended",
    "install",
    "observers",
    "submitted",
    "uninstall",
]


@dataclass(frozen=True)
class JobsSubmitted:
    """Calls of one function were given to an executor. Jobs are numbered from 1 through the program."""

    first: int
    """The number of the first; the others follow."""
    count: int
    name: str
    """Of the function, as `module:qualname`."""
    on: str
    """The backend."""
    at_ns: int
    """CLOCK_MONOTONIC."""


@dataclass(frozen=True)
class JobsEnded:
    """Calls have ended, one after the other, on one worker.

    From `submitted` to `sent_ns` they stood in the queue, then they were on their way until `started_ns`.
    """

    first: int
    count: int
    failed: dict[int, BaseException]
    """What those that failed raised, by their number."""
    worker: str
    """Such as `process 4711` or the name of a thread; empty if none ran them."""
    sent_ns: int
    """The times are of CLOCK_MONOTONIC; 0 if it never came to that."""
    started_ns: int
    ended_ns: int
    cpu_ns: int
    at_ns: int
    """When their outcome was known here."""


class Observer(Protocol):
    """Watches jobs. Its methods are called from any thread, and must neither block nor raise."""

    def jobs_submitted(self, jobs: JobsSubmitted) -> None:
        """Calls were given to an executor, and wait for a worker."""

    def jobs_ended(self, jobs: JobsEnded) -> None:
        """Calls have run."""


observers: list[Observer] = []
"""Those who watch; changed by `install` and `uninstall`."""

_numbers = itertools.count(1)


def install(observer: Observer) -> None:
    """Begin to report to an observer."""
    observers.append(observer)


def uninstall(observer: Observer) -> None:
    """Report to it no more."""
    observers.remove(observer)


def submitted(batch: Any, on: str) -> None:
    """Report a batch that is about to be given to a backend, and number its calls."""
    count = len(batch.items)
    batch.number = next(_numbers)
    for _ in range(count - 1):
        next(_numbers)
    fn = batch.fn
    name = f"{getattr(fn, '__module__', '?')}:{getattr(fn, '__qualname__', type(fn).__qualname__)}"
    jobs = JobsSubmitted(batch.number, count, name, on, batch.submitted_ns)
    for observer in list(observers):
        observer.jobs_submitted(jobs)


def ended(portion: Any) -> None:
    """Report a portion that has come back from a backend."""
    if not portion.batch.number:  # given away before anybody watched
        return
    first = portion.batch.number + portion.first
    spent = portion.spent
    jobs = JobsEnded(
        first,
        len(portion.values),
        {first + place: error for place, error in portion.errors.items()},
        spent.worker,
        spent.sent_ns,
        spent.started_ns,
        spent.ended_ns,
        spent.cpu_ns,
        time.monotonic_ns(),
    )
    for observer in list(observers):
        observer.jobs_ended(jobs)
