"""Which kind of unit calls, and so how it waits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from headway.errors import UsageError
from headway.run.cancellation import CURRENT
from headway.run.parking.thread import ThreadWaiter
from headway.run.parking.waiter import BlockingWaiter

if TYPE_CHECKING:
    from headway.run.parking.task import TaskWaiter

_task_waiter: Callable[[], TaskWaiter] | None = None

__all__ = ["blocking_waiter", "park", "refuse_in_loop", "task_waiter"]


def blocking_waiter(what: str, instead: str) -> BlockingWaiter:
    """Make a waiter for a plain call: for the greenlet if the thread has a gevent hub, else for the thread.

    Args:
        what: The call, for the error.
        instead: What to write on an event loop's thread, for the hint.

    Raises:
        UsageError: An event loop runs in this thread, and would stand still.
    """
    # A hub or a loop can only exist when its module is loaded; so neither is imported here.
    hubs = sys.modules.get("gevent._hub_local")
    if hubs is not None and (hub := hubs.get_hub_if_exists()) is not None:
        from headway.run.parking.greenlet import GreenletWaiter

        return GreenletWaiter(hub)
    refuse_in_loop(what, instead)
    return ThreadWaiter()


def refuse_in_loop(what: str, instead: str) -> None:
    """Raise UsageError if an event loop runs in this thread."""
    events = sys.modules.get("asyncio.events")
    if events is not None and events._get_running_loop() is not None:
        raise UsageError(f"{what} would block the event loop that runs in this thread", hint=instead)


def task_waiter() -> TaskWaiter:
    """Make a waiter for the asyncio task that runs."""
    # asyncio is not imported before, and not looked up again: an import statement costs as much as the waiter.
    global _task_waiter
    if _task_waiter is None:
        from headway.run.parking.task import TaskWaiter

        _task_waiter = TaskWaiter
    return _task_waiter()


def park(waiter: BlockingWaiter, timeout_s: float | None) -> tuple[object, object]:
    """Park, until the scope around is cancelled at the latest.

    Returns:
        The waiter's outcome; its source is CANCELLED if the scope was.
    """
    token = CURRENT.get()
    if token is None:
        waiter.park(timeout_s)
    else:
        token.enter(waiter)
        try:
            waiter.park(timeout_s)
        finally:
            token.leave(waiter)
    return waiter.outcome
