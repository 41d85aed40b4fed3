"""Scenarios that are coroutine functions."""

from __future__ import annotations

from asyncio import constants, runners
from collections.abc import Callable
from types import CoroutineType
from typing import Any

from headway.check.asynchronous.loop import Loop
from headway.check.asynchronous.policy import set_event_loop
from headway.check.greenlets.hub import stuck
from headway.check.world import world

__all__ = ["runnable"]


def runnable(scenario: Callable[[], Any]) -> Callable[[], object]:
    """A function that calls a scenario, and runs the coroutine that it may give."""

    def run() -> None:
        try:
            result = scenario()
        except Exception as error:
            ending = stuck(error)
            if ending is not None and world.execution is not None:
                world.execution.end(ending)
            raise
        if isinstance(result, CoroutineType):
            _run(result)

    return run


def _run(main: Any) -> None:
    """As `asyncio.run`, in fewer steps where nothing is left to be done."""
    loop = Loop()
    set_event_loop(loop)
    try:
        task = loop.create_task(main)
        try:
            loop.run_task(task)
        except Exception as error:
            loop.failed(task, error)
            raise
    finally:
        try:
            _finish(loop)
        finally:
            set_event_loop(None)
            loop.close()


def _finish(loop: Any) -> None:
    if loop.all_tasks():
        cancel: Any = vars(runners)["_cancel_all_tasks"]
        cancel(loop)
    if loop.generates:
        loop.run_until_complete(loop.shutdown_asyncgens())
    if loop._default_executor is not None:
        most_s = getattr(constants, "THREAD_JOIN_TIMEOUT", None)
        ending = (
            loop.shutdown_default_executor() if most_s is None else loop.shutdown_default_executor(most_s)
        )
        loop.run_until_complete(ending)
