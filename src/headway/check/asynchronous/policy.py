"""asyncio's own names while a scenario is explored: new loops are ours, and sets of tasks have an order."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401 (asyncio imports it late, and then in an execution)
from asyncio import base_events, events, tasks
from collections.abc import Callable, Iterable
from typing import Any

from headway.check.asynchronous.loop import Loop
from headway.check.asynchronous.refusing import refuse
from headway.check.asynchronous.units import Task
from headway.check.world import here

__all__ = ["doubles", "put_doubles", "set_event_loop"]

# Taken before anything is doubled.
_all_tasks = tasks.all_tasks
_as_completed = tasks.as_completed
_run_forever = base_events.BaseEventLoop.run_forever
_SelectorEventLoop: Any = asyncio.SelectorEventLoop
_KEY = object()


class Policy:
    """Gives each unit loops of ours; all others get what they had."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def get_event_loop(self) -> Any:
        """The loop that the calling unit has set."""
        me = here()
        if me is None:
            return self._outside().get_event_loop()
        loop = me.locals.get(_KEY)
        if loop is None:
            raise RuntimeError("There is no current event loop in this thread")
        return loop

    def set_event_loop(self, loop: Any) -> None:
        """For the calling unit."""
        if not set_event_loop(loop):
            self._outside().set_event_loop(loop)

    def new_event_loop(self) -> Any:
        """One under control."""
        return self._outside().new_event_loop() if here() is None else Loop()

    def _outside(self) -> Any:
        if self._real is None:
            make: Any = getattr(events, "_DefaultEventLoopPolicy", None) or asyncio.DefaultEventLoopPolicy
            self._real = make()
        return self._real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outside(), name)


def set_event_loop(loop: Any) -> bool:
    """For the calling unit; false if it is none."""
    me = here()
    if me is not None:
        me.locals[_KEY] = loop
    return me is not None


def all_tasks(loop: Any = None) -> set[Any]:
    """As `asyncio.all_tasks`."""
    if loop is None and here() is not None:
        loop = events.get_running_loop()
    return set(loop.all_tasks()) if isinstance(loop, Loop) else _all_tasks(loop)


def as_completed(fs: Any, *, timeout: float | None = None) -> Any:
    """As `asyncio.as_completed`, which makes tasks of coroutines in the order of a set."""
    if here() is None or not isinstance(fs, Iterable) or asyncio.iscoroutine(fs):
        return _as_completed(fs, timeout=timeout)
    made: dict[Any, Any] = {}
    for awaitable in fs:
        if awaitable not in made:
            made[awaitable] = asyncio.ensure_future(awaitable)
    return _as_completed(list(made.values()), timeout=timeout)


def selector_event_loop(selector: Any = None) -> Any:
    """As `asyncio.SelectorEventLoop`."""
    return _SelectorEventLoop(selector) if here() is None else Loop()


def run_forever(self: Any) -> None:
    """As `loop.run_forever`, for loops that are not ours."""
    if here() is not None and not isinstance(self, Loop):
        refuse(type(self).__qualname__)
    _run_forever(self)


def doubles() -> list[tuple[Any, Any]]:
    """Real things, and what stands in place of them in all modules."""
    pairs: list[tuple[Any, Any]] = [
        (_all_tasks, all_tasks),
        (_as_completed, as_completed),
        (_SelectorEventLoop, selector_event_loop),
    ]
    eager = getattr(asyncio, "eager_task_factory", None)
    if eager is not None:
        make: Any = vars(asyncio)["create_eager_task_factory"]
        pairs.append((eager, make(Task)))
    return pairs


def put_doubles(put: Callable[[Any, str, Any], None]) -> None:
    """Put doubles where asyncio looks itself."""
    put(events, "_event_loop_policy", Policy(vars(events)["_event_loop_policy"]))
    put(tasks, "all_tasks", all_tasks)
    put(base_events.BaseEventLoop, "run_forever", run_forever)
