"""Which loop and task run in a thread: where units share one, each takes its own along."""

from __future__ import annotations

import sys
from asyncio import events, tasks
from typing import Any

__all__ = ["enter", "leave"]

_get: Any = vars(events)["_get_running_loop"]
_set: Any = vars(events)["_set_running_loop"]
# The task that runs is kept by loop, and from Python 3.14 on by thread.
_swap: Any = vars(tasks)["_swap_current_task"] if sys.version_info >= (3, 14) else None
_current_task = tasks.current_task
_State = tuple[Any, Any, Any]


def leave() -> _State | None:
    """A unit stops for a while, and so does its loop, for others in its thread. Gives what `enter` needs."""
    loop = _get()
    if loop is None:
        return None
    task = _current_task(loop)
    if _swap is not None and task is not None:
        _swap(loop, None)
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    _set(None)
    return loop, task, hooks


def enter(state: _State) -> None:
    """The unit goes on."""
    loop, task, hooks = state
    _set(loop)
    sys.set_asyncgen_hooks(*hooks)
    if _swap is not None and task is not None:
        _swap(loop, task)
