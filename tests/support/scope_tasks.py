"""Calls for scopes of asyncio tasks, and a run that sees what they leave behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from headway.run.cancellation import cancelled


class Broken(Exception):
    """What calls raise here."""


async def fail(text: str = "broken") -> None:
    await asyncio.sleep(0)
    raise Broken(text)


def fail_on_a_thread() -> None:
    raise Broken("on a thread")


def spin_until_cancelled() -> str:
    while not cancelled():
        threading.Event().wait(0.001)
    return "saw it"


async def for_ever() -> None:
    await asyncio.Event().wait()


async def give(value: int) -> int:
    await asyncio.sleep(0)
    return value


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test, which must leave no task behind, and its own one as if nobody had ever cancelled it."""

    async def checked() -> None:
        await main()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        assert asyncio.all_tasks() == {task}
        await asyncio.sleep(0)  # no cancellation is on its way

    asyncio.run(checked(), debug=True)


@contextmanager
def group_of(*texts: str) -> Iterator[None]:
    with pytest.raises(ExceptionGroup) as raised:
        yield
    assert [str(error) for error in raised.value.exceptions] == list(texts)
