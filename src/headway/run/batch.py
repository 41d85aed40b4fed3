"""Calls of one function that travel together, and how their outcomes come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["NO_KWARGS", "Batch", "Portion", "Spent", "always", "run_calls", "run_portion"]

NO_KWARGS: Mapping[str, Any] = {}


class Spent(NamedTuple):
    """When calls ran, and where. All times are of CLOCK_MONOTONIC, which the processes of a machine share."""

    sent_ns: int
    """They left the queue for a worker; 0 if they never did."""
    started_ns: int
    """The first of them began; 0 if none did."""
    ended_ns: int
    """The last of them ended."""
    cpu_ns: int
    """What the worker's thread used of a core for them."""
    worker: str
    """Such as `process 4711`; empty if none had them."""


class Portion(NamedTuple):
    """The outcomes of some successive calls of a batch."""

    batch: Batch
    first: int
    """The number of the first of these calls in the batch."""
    values: list[Any]
    """What each returned; None for a call that failed."""
    errors: dict[int, BaseException]
    """What each failed call raised, by its place in `values`."""
    spent: Spent


def always() -> bool:
    """The claim of a batch that is wanted whenever a worker gets it."""
    return True


class Batch:
    """Calls of one function, in order. A backend gets batches; nothing smaller and nothing else.

    Args:
        fn: What to call.
        items: One for each call: its only argument, or with `star` the tuple of its positional arguments.
        sink: Called with each portion of outcomes, from any thread; must neither block nor raise. Every call of
            a batch that was claimed is in exactly one portion.
        star: Whether items are tuples of arguments.
        kwargs: Keyword arguments, the same for all calls.
        timeout_s: How long one call may run; None is for ever. Only for backends that can stop a call.
        claim: Called once, just before a worker gets the batch; False says that nobody wants it any more, and
            the backend drops it without a portion.
    """

    __slots__ = (
        "claim",
        "fn",
        "items",
        "kwargs",
        "number",
        "origin",
        "sink",
        "star",
        "submitted_ns",
        "tag",
        "timeout_s",
        "worker",
    )

    def __init__(
        self,
        fn: Callable[..., Any],
        items: Sequence[Any],
        sink: Callable[[Portion], None],
        *,
        star: bool = False,
        kwargs: Mapping[str, Any] = NO_KWARGS,
        timeout_s: float | None = None,
        claim: Callable[[], bool] = always,
    ) -> None:
        self.fn = fn
        self.items = items
        self.sink = sink
        self.star = star
        self.kwargs = kwargs
        self.timeout_s = timeout_s
        self.claim = claim
        self.submitted_ns = time.monotonic_ns()
        self.number = 0
        """The number of its first call among all of the program, for observers."""
        self.origin: object = None
        """What it comes from, such as one map: what its batches share need not be sent anew; None if it is alone."""
        self.tag: Any = None
        """Belongs to whoever made the batch; backends leave it alone."""
        self.worker: Any = None
        """Belongs to the backend: which worker was last given some of it."""

    def __len__(self) -> int:
        return len(self.items)

    def failed(self, error: BaseException, *, first: int = 0, worker: str = "") -> Portion:
        """The portion in which all calls from `first` on failed in the same way, without having run."""
        count = len(self.items) - first
        spent = Spent(0, 0, time.monotonic_ns(), 0, worker)
        return Portion(self, first, [None] * count, dict.fromkeys(range(count), error), spent)


def run_calls(
    fn: Callable[..., Any],
    items: Iterable[Any],
    star: bool,
    kwargs: Mapping[str, Any],
    *,
    values: list[Any] | None = None,
    errors: dict[int, BaseException] | None = None,
    interruptible: bool = False,
) -> tuple[list[Any], dict[int, BaseException]]:
    """Make calls one after the other, in this thread.

    Args:
        fn: As in `Batch`.
        items: Likewise; an iterator may be emptied by another thread, which then has the rest.
        star: Likewise.
        kwargs: Likewise.
        values: Where what each call returned is added, as it ends; a new list by default.
        errors: Likewise, what was raised. An error is there before the None in its place is.
        interruptible: This is the caller's own thread, where a KeyboardInterrupt is for the caller.
    Returns:
        What each returned, None for one that raised; and what those raised, by their place.
    Raises:
        KeyboardInterrupt: If interruptible.
    """
    values = [] if values is None else values
    errors = {} if errors is None else errors
    rest = iter(items)
    add = values.append
    while True:
        try:
            # Three loops, so that the common one pays for nothing but the call.
            if kwargs:
                for item in rest:
                    add(fn(*item, **kwargs) if star else fn(item, **kwargs))
            elif star:
                for item in rest:
                    add(fn(*item))
            else:
                for item in rest:
                    add(fn(item))
        except BaseException as error:  # whatever a call raises is its outcome, SystemExit too
            if interruptible and isinstance(error, KeyboardInterrupt):
                raise
            errors[len(values)] = error
            add(None)
        else:
            return values, errors


def run_portion(batch: Batch, sent_ns: int, worker: str, *, interruptible: bool = False) -> Portion:
    """Run a whole batch in this thread."""
    cpu_ns, started_ns = time.thread_time_ns(), time.monotonic_ns()
    values, errors = run_calls(batch.fn, batch.items, batch.star, batch.kwargs, interruptible=interruptible)
    spent = Spent(sent_ns, started_ns, time.monotonic_ns(), time.thread_time_ns() - cpu_ns, worker)
    return Portion(batch, 0, values, errors, spent)
