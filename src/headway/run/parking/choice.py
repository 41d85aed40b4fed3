"""Which kind of unit calls, and so how it waits."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from headway.errors import UsageError
from headway.run.cancellation import CURRENT
from headway.run.parking.thread import ThreadWaiter
from headway.run.parking.waiter import BlockingWaiter

if TYPE_CHECKING:
    from headway.run.parking.task import TaskWaiter

_task_waiter: Callable[[], TaskWaiter] | None = None

_ASYNC = 0x80 | 0x200
"""CO_COROUTINE and CO_ASYNC_GENERATOR: https://docs.python.org/3/library/inspect.html#inspect.CO_COROUTINE"""

__all__ = ["blocking_waiter", "park", "refuse_in_loop", "task_waiter"]


def blocking_waiter(what: str, instead: str) -> BlockingWaiter:
    """Make a waiter for a plain call: for the greenlet if the thread has a gevent hub, else for the thread.

    Args:
        what: The call, for the error.
        instead: What to write on an event loop's thread, for the hint.

    Raises:
        UsageError: An event loop makes this call, and would stand still.
    """
    refuse_in_loop(what, instead)
    hub = _hub()
    if hub is not None:
        from headway.run.parking.greenlet import GreenletWaiter

        return GreenletWaiter(hub)
    return ThreadWaiter()


def refuse_in_loop(what: str, instead: str) -> None:
    """Raise UsageError if an event loop runs in this thread, or with gevent, in this greenlet."""
    events = sys.modules.get("asyncio.events")
    # A hub says nothing of who calls: it stays for good in a thread that has used gevent once.
    if (
        events is not None
        and events._get_running_loop() is not None
        and (_hub() is None or _is_called_by_loop())
    ):
        raise UsageError(f"{what} would block the event loop that runs in this thread", hint=instead)


def _hub() -> Any:
    """The gevent hub of this thread, if there is one."""
    # A hub or a loop can only exist when its module is loaded; so neither is imported here.
    hubs = sys.modules.get("gevent._hub_local")
    return None if hubs is None else hubs.get_hub_if_exists()


def _forked() -> None:
    """Give the loop of the hub its own descriptors, in a child.

    A dormant hub goes to a child that nobody made with gevent's own fork. There its loop would share epoll's set and
    the wake-ups of other threads with that of the parent, and take them from it. To do it twice does no harm.
    """
    hub = _hub()
    if hub is not None:
        sys.modules["gevent.hub"].reinit(hub)


os.register_at_fork(after_in_child=_forked)


def _is_called_by_loop() -> bool:
    """Whether the event loop of this thread is below on the stack, and not in another greenlet.

    asyncio knows its loop by thread. The stack of a greenlet ends with its first call. A loop that is not written in
    Python is known by what it runs: a coroutine, or asyncio.run().
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_flags & _ASYNC or str(frame.f_globals.get("__name__")).startswith("asyncio."):
            return True
        frame = frame.f_back
    return False


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
