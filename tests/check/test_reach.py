"""Where locks are looked for that a program made before it was explored."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, ClassVar

import pytest

import headway

REAL = type(threading.Lock())


OBJECTS_ARE_LOOKED_AT = True
"""Of this module, too: what its functions and classes keep is found that way."""


def seen(find: Callable[[], Any]) -> type:
    """The type that something has in a scenario."""
    types: list[type] = []
    headway.explore(lambda: types.append(type(find())), schedules=1)
    return types[0]


class Registry:
    locks: ClassVar[dict[str, Any]] = {"class": threading.Lock()}


def guarded() -> Callable[[], Any]:
    lock = threading.Lock()

    @contextlib.contextmanager
    def guard() -> Iterator[Any]:
        yield lock

    def enter() -> Any:
        with guard() as found:
            return found

    return enter


LINE: queue.Queue[int] = queue.Queue()
ENTER = guarded()


@pytest.mark.parametrize(
    "find",
    [lambda: Registry.locks["class"], lambda: LINE.mutex, ENTER],
    ids=["in a class", "in an object of Python's own", "in what Python's own decorator made"],
)
def test_a_lock_is_found_wherever_the_program_keeps_it(find: Callable[[], Any]) -> None:
    assert seen(find) is not REAL


def test_a_lock_is_found_where_the_program_has_no_file() -> None:
    names: dict[str, Any] = {"__name__": "a_notebook", "threading": threading}
    exec("class Cell:\n    lock = threading.Lock()\n\ndef find():\n    return Cell.lock\n", names)
    cell, find = names["Cell"], names["find"]
    assert isinstance(find, FunctionType)
    assert seen(lambda: (cell, find())[1]) is not REAL


def test_what_belongs_to_pytest_is_left_alone() -> None:
    kept = type("Config", (), {"__module__": "_pytest.config"})()
    kept.lock = threading.Lock()
    assert seen(lambda: kept.lock) is REAL
