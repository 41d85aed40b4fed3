"""Puts the doubles in place of the real things, in every module that has them, and takes them back."""

from __future__ import annotations

import _thread
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from headway.check.asynchronous import policy
from headway.check.captured import lend_captured
from headway.check.doubles import clock, condition, futures, local, lock, queues, thread
from headway.check.execution import Stop
from headway.check.greenlets import hub
from headway.check.place import Place
from headway.check.reach import Undo, lend

__all__ = ["doubled"]

_KEPT = ("headway.check.", "asyncio.", "greenlet", "gevent.", "_pytest.", "pytest_timeout", "pluggy")
"""Modules that work for us while a scenario runs, or for whoever watches over it."""

_INHERITED: Any = object()
_lock_type: type = type(_thread.allocate_lock())
_rlock_type: type = type(_thread.RLock())


def _pairs() -> list[tuple[Any, Any]]:
    """The real things, each with its double; of two that have the same double the one that people use comes first."""
    pairs: list[tuple[Any, Any]] = [
        (threading.Lock, lock.Lock),
        (_thread.allocate_lock, lock.Lock),
        (threading.RLock, lock.RLock),
        (_thread.RLock, lock.RLock),
        (threading.Condition, condition.Condition),
        (threading.Event, condition.Event),
        (threading.Semaphore, condition.Semaphore),
        (threading.BoundedSemaphore, condition.BoundedSemaphore),
        (threading.local, local.Local),
        (queue.SimpleQueue, queues.SimpleQueue),
        (_thread.start_new_thread, thread.start_new_thread),
        (_thread.get_ident, thread.get_ident),
        (threading.main_thread, thread.main_thread),
        *clock.DOUBLES.values(),
        *policy.doubles(),
    ]
    return [pair for pair in pairs if pair[0] is not None]


_DOUBLES = {id(real): double for real, double in _pairs()}
_REAL = {id(double): real for real, double in reversed(_pairs())}


class _NoStop(logging.Filter):
    """A pool logs what ends its workers; that an execution is over is no news."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], Stop))


@contextmanager
def doubled(scenario: Callable[[], Any]) -> Iterator[list[str]]:
    """While this is entered, the program's modules see doubles; they behave as the real things outside an execution.

    Gives notes on what keeps real things all the same.
    """
    undo: list[tuple[Any, str, Any]] = []
    lent: list[Undo] = []
    stand_ins = _StandIns()

    def put(place: Any, name: str, double: Any) -> None:
        undo.append((place, name, vars(place).get(name, _INHERITED)))
        setattr(place, name, double)

    before = set(sys.modules)
    no_stop = _NoStop()
    pool_log = logging.getLogger("concurrent.futures")
    pool_log.addFilter(no_stop)
    try:
        for name, double in thread.METHODS.items():
            put(threading.Thread, name, double)
        for place, name, double in (*thread.counters(), *futures.attributes()):
            put(place, name, double)
        policy.put_doubles(put)
        hub.put_doubles(put)
        for module in list(sys.modules.values()):
            if isinstance(module, ModuleType) and not module.__name__.startswith(_KEPT):
                _in_module(module, put, stand_ins)
        lent = lend_captured(_DOUBLES, (*_KEPT, "threading", "headway.check"))
        roots: list[object] = [scenario, sys.modules.get(getattr(scenario, "__module__", ""))]
        more, notes = lend(roots, _STANDING, _REACHED, _KEPT, stand_ins.of)
        lent += more
        yield notes
    finally:
        for put_back in reversed(lent):
            put_back()
        for place, name, real in reversed(undo):
            if real is _INHERITED:
                delattr(place, name)
            else:
                setattr(place, name, real)
        _back_in_new_modules(before)
        pool_log.removeFilter(no_stop)


def _back_in_new_modules(before: set[str]) -> None:
    """Give the real things to what was imported meanwhile and found doubles under their names."""
    new = [module for name, module in list(sys.modules.items()) if name not in before and _is_program(module)]
    for module in new:
        for name, value in list(vars(module).items()):
            if id(value) in _REAL:
                setattr(module, name, _REAL[id(value)])
    if new:
        lend_captured(_REAL, ("headway.check",))


def _is_program(module: object) -> bool:
    return isinstance(module, ModuleType) and not module.__name__.startswith("headway.check")


def _in_module(module: ModuleType, put: Any, stand_ins: _StandIns) -> None:
    names = vars(module)
    keeps_locks = module in (threading, logging, time)
    # Most modules have none of them, and there are many.
    if not _NAMED.isdisjoint(map(id, names.values())):
        for name, value in list(names.items()):
            double = _DOUBLES.get(id(value))
            if double is not None:
                put(module, name, double)
    if not keeps_locks and not _STANDING.isdisjoint(map(type, names.values())):
        for name, value in list(names.items()):
            double = stand_ins.of(value) if type(value) in _STANDING else None
            if double is not None:
                put(module, name, double)


_NAMED = frozenset(_DOUBLES)
_REACHED = frozenset(identity for identity in _NAMED if callable(_DOUBLES[identity]))
_STANDING = frozenset(
    [
        _lock_type,
        _rlock_type,
        condition._RealCondition,
        condition._RealEvent,
        condition._RealSemaphore,
        local._RealLocal,
    ]
)
"""Types of what was made before, and is doubled."""


class _StandIns:
    """Doubles for what was made before: the same one wherever the same thing is kept.

    A lock and the condition on it stay together so, as those of a queue.
    """

    def __init__(self) -> None:
        self._made: dict[int, tuple[Any, Any]] = {}

    def of(self, value: Any) -> Any:
        """A double; None for what has none, or is held by somebody now."""
        double = _DOUBLES.get(id(value))
        if double is not None or type(value) not in _STANDING:
            return double
        if id(value) not in self._made:
            self._made[id(value)] = (value, self._make(value))
        return self._made[id(value)][1]

    def _make(self, value: Any) -> Any:
        kind = type(value)
        if kind is _lock_type:
            return None if value.locked() else lock.Lock()
        if kind is _rlock_type:
            return lock.RLock()
        if kind is condition._RealCondition:
            of_it = value._lock if isinstance(value._lock, Place) else self.of(value._lock)
            return None if of_it is None else condition.Condition(of_it)
        if kind is condition._RealEvent:
            made = condition.Event()
            made._flag = value.is_set()
            return made
        if kind is condition._RealSemaphore:
            return condition.Semaphore(value._value)
        return local.Local()
