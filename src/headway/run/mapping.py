"""`map`: a function over items, concurrently, with the results as they are read."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Sized
from typing import Any, TypeVar, overload

from headway.errors import UsageError
from headway.run.options import On, OnError, StageOptions
from headway.run.progress import Told, open_progress
from headway.run.reading import Plan
from headway.run.results import Results
from headway.run.retry import Retry

__all__ = ["map"]

R = TypeVar("R")


@overload
def map(  # noqa: A001
    fn: Callable[..., Coroutine[Any, Any, R]],
    /,
    *iterables: Iterable[Any] | AsyncIterable[Any],
    on: On = ...,
    workers: int | None = ...,
    ordered: bool = ...,
    on_error: OnError = ...,
    timeout_s: float | None = ...,
    retries: int | Retry | None = ...,
    buffer: int | None = ...,
    progress: bool | str | Told = ...,
    initializer: Callable[..., object] | None = ...,
    initargs: tuple[Any, ...] = ...,
    memory_bytes: int | None = ...,
) -> Results[R]: ...


@overload
def map(  # noqa: A001
    fn: Callable[..., R],
    /,
    *iterables: Iterable[Any] | AsyncIterable[Any],
    on: On = ...,
    workers: int | None = ...,
    ordered: bool = ...,
    on_error: OnError = ...,
    timeout_s: float | None = ...,
    retries: int | Retry | None = ...,
    buffer: int | None = ...,
    progress: bool | str | Told = ...,
    initializer: Callable[..., object] | None = ...,
    initargs: tuple[Any, ...] = ...,
    memory_bytes: int | None = ...,
) -> Results[R]: ...


def map(  # noqa: A001 (it is headway.map, beside the built-in one)
    fn: Callable[..., Any],
    /,
    *iterables: Iterable[Any] | AsyncIterable[Any],
    on: On = "auto",
    workers: int | None = None,
    ordered: bool = True,
    on_error: OnError = "raise",
    timeout_s: float | None = None,
    retries: int | Retry | None = None,
    buffer: int | None = None,
    progress: bool | str | Told = False,
    initializer: Callable[..., object] | None = None,
    initargs: tuple[Any, ...] = (),
    memory_bytes: int | None = None,
) -> Results[Any]:
    """Call a function on each item, many at a time, and give the results as they are read.

    Nothing starts before the first result is asked for, inputs are taken only as they are needed, and no more is done
    ahead than the buffer allows; so inputs may be endless. There is no chunk size to choose: calls travel in batches
    whose size follows from how long they take.

    Args:
        fn: A function, or a coroutine function, which then runs in an event loop: the reader's own under
            `async for`, else one in a thread. With "auto" that holds also for functions that return coroutines,
            such as a lambda that calls a coroutine function.
        iterables: One for each argument of `fn`; the shortest ends it. One asynchronous iterable can be given alone,
            for results that are read by `async for`.
        on: "auto", "serial", "threads", "processes", "interpreters", "asyncio", "greenlets", "dask", "ray", an
            address as "dask://host:8786", an executor with `submit`, or a backend. "auto" measures the first calls,
            which are real results, and takes what is fastest; a function that changes objects of this process
            should be pinned to "threads" or "serial", where the changes are seen, and one that may crash to
            "processes", since "auto" makes the first calls in this process.
        workers: How many calls may run at a time; None is what suits the backend.
        ordered: Results in the order of their items; False gives each as soon as it is there.
        on_error: When a call fails: "raise" its exception in its place and end; "return" the exception as the result;
            "skip" it.
        timeout_s: A call that runs longer is stopped, and fails with TimedOut; not on threads, which cannot be stopped.
        retries: How often a failed call is tried again, or a `Retry` that says after what and when. None is what an
            executor of headway in `on` says, else 0.
        buffer: How many items may be under way or waiting for the reader; None is a few batches for each worker.
        progress: True shows a bar on stderr if that is a terminal; a text is its label; a function gets
            how many results were read, and of how many (None if that is unknown).
        initializer: Called in each worker before its first call, with `initargs`.
        initargs: Its arguments.
        memory_bytes: What a worker process may allocate; a call that wants more fails with MemoryError.
    Returns:
        The results: an iterator and an asynchronous iterator, with `close`, `report` and, if it is known, a length.
    Raises:
        UsageError: The arguments do not go together. Nothing was started.

    Runs on: threads and tasks; one reader at a time.
    Cost: about 0.1 µs a call for calls that are too short to be worth sending, see docs/explanation/run-speed.md.
    """
    if not callable(fn):
        raise UsageError(f"{fn!r} is not a function", hint="headway.map(function, items)")
    if not iterables:
        raise UsageError("there is nothing to map over", hint="headway.map(function, items)")
    options = StageOptions(
        on=on,
        workers=workers,
        ordered=ordered,
        on_error=on_error,
        timeout_s=timeout_s,
        retries=retries,
        buffer=buffer,
        initializer=initializer,
        initargs=initargs,
        memory_bytes=memory_bytes,
    )
    options.check(fn)
    star = len(iterables) > 1
    asynchronous = [items for items in iterables if not isinstance(items, Iterable)]
    plan_items: Any
    if star and asynchronous:
        raise UsageError(f"an asynchronous input must be the only one: {asynchronous[0]!r}")
    if star:
        plan_items = zip(*builtins.map(iter, iterables), strict=False)  # type: ignore[arg-type]
    elif not asynchronous:
        plan_items = iter(iterables[0])  # type: ignore[arg-type]
    elif isinstance(asynchronous[0], AsyncIterable):
        plan_items = asynchronous[0]
    else:
        raise UsageError(f"{asynchronous[0]!r} is not iterable", hint="headway.map(function, items)")
    lengths = [len(items) for items in iterables if isinstance(items, Sized)]
    length = min(lengths) if len(lengths) == len(iterables) and on_error != "skip" else None
    name = getattr(fn, "__qualname__", type(fn).__qualname__)
    plan = Plan(
        plan_items,
        length,
        lambda loop: [options.stage(fn, star=star, loop=loop, inline=loop is None, length=length)],
        [(fn, on)],
    )
    return Results(plan, open_progress(progress, name))
