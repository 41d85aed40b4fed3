"""`threading.Thread`: its methods, doubled in place, so that subclasses have them too."""

from __future__ import annotations

import _thread
import contextlib
import itertools
import sys
import threading
from typing import Any

from headway.check.unit import Unit
from headway.check.world import here, world

__all__ = ["METHODS", "get_ident", "main_thread", "start_new_thread"]

# Taken before anything is doubled.
_real_init = threading.Thread.__init__
_real_start = threading.Thread.start
_real_join = threading.Thread.join
_real_is_alive = threading.Thread.is_alive
_real_start_new_thread = _thread.start_new_thread
_get_ident = _thread.get_ident
_real_main_thread = threading.main_thread

_orders = itertools.count(1)


def _unit_of(thread: threading.Thread) -> Unit | None:
    """The unit of this execution that a thread is."""
    unit = thread.__dict__.get("_headway_unit")
    execution = world.execution
    if unit is None or execution is None or unit not in execution.units:
        return None
    return unit  # type: ignore[no-any-return]


def start(self: threading.Thread) -> None:
    """As `threading.Thread.start`."""
    me = here()
    if me is None:
        _real_start(self)
        return
    execution = world.execution
    assert execution is not None
    inner: Any = self
    if not getattr(inner, "_initialized", False):
        raise RuntimeError("thread.__init__() not called")
    if inner._started._flag:
        raise RuntimeError("threads can only be started once")
    if me.unwinding:
        return
    unit = execution.spawn(self.name, lambda: _run(inner), daemon=self.daemon, thread=self)
    self.__dict__["_headway_unit"] = unit
    inner._started._flag = True
    execution.sync(me, "start", unit)


def _run(thread: Any) -> None:
    ident = get_ident()
    thread._ident = ident
    thread._native_id = threading.get_native_id()
    active = threading._active  # type: ignore[attr-defined]
    active[ident] = thread
    trace, profile = threading.gettrace(), threading.getprofile()
    if trace is not None:
        sys.settrace(trace)
    if profile is not None:
        sys.setprofile(profile)
    try:
        thread.run()
    except SystemExit:  # as threading: it ends the thread, and no more
        pass
    finally:
        active.pop(ident, None)
        if hasattr(thread, "_is_stopped"):
            thread._is_stopped = True
        for name in ("_handle", "_os_thread_handle"):  # of 3.13, and since 3.14
            if hasattr(thread, name):
                setattr(thread, name, _Done(ident))


class _Done:
    """The handle of a thread that has ended, for who asks when the execution is over."""

    def __init__(self, ident: int) -> None:
        self.ident = ident

    def is_done(self) -> bool:
        """It has."""
        return True

    def join(self, timeout: float | None = None) -> None:
        """At once."""


def join(self: threading.Thread, timeout: float | None = None) -> None:
    """As `threading.Thread.join`."""
    me = here()
    unit = _unit_of(self)
    if me is None or unit is None:
        if me is None or not getattr(self, "_initialized", False) or self is _real_main_thread():
            _real_join(self, timeout)
            return
        if not self._started._flag:  # type: ignore[attr-defined]
            raise RuntimeError("cannot join thread before it is started")
        _real_join(self, timeout)
        return
    if unit is me:
        raise RuntimeError("cannot join current thread")
    execution = world.execution
    assert execution is not None
    deadline = None if timeout is None else execution.now_ns + max(0, round(timeout * 1e9))
    execution.sync(me, "join", unit, lambda _: unit.done, deadline)
    if unit.done and execution.watcher is not None:
        execution.watcher.joined(me, unit)


def is_alive(self: threading.Thread) -> bool:
    """As `threading.Thread.is_alive`."""
    me = here()
    unit = _unit_of(self)
    if me is None or unit is None:
        return False if "_headway_unit" in self.__dict__ else _real_is_alive(self)
    execution = world.execution
    assert execution is not None
    execution.look(me, "is_alive", unit)
    if unit.done and execution.watcher is not None:
        execution.watcher.joined(me, unit)
    return not unit.done


def fresh_names() -> None:
    """The threads of each execution are called Thread-1, Thread-2, and so on."""
    global _orders
    _orders = itertools.count(1)
    threading._counter = itertools.count(1).__next__  # type: ignore[attr-defined]
    pools: Any = sys.modules.get("concurrent.futures.thread")
    if pools is not None:
        pools.ThreadPoolExecutor._counter = itertools.count().__next__


def initialize(self: threading.Thread, *args: Any, **kwargs: Any) -> None:
    """As `threading.Thread.__init__`."""
    if here() is not None:
        self.__dict__["_headway_order"] = next(_orders)
    _real_init(self, *args, **kwargs)


def place_in_set(self: threading.Thread) -> int:
    """In place of `threading.Thread.__hash__`: a pool joins its workers in the order in which a set has them."""
    order: int | None = self.__dict__.get("_headway_order")
    return object.__hash__(self) if order is None else order


METHODS = {
    "__init__": initialize,
    "__hash__": place_in_set,
    "start": start,
    "join": join,
    "is_alive": is_alive,
}
"""Of `threading.Thread`."""


def start_new_thread(function: Any, args: Any, kwargs: Any = None, /) -> int:
    """As `_thread.start_new_thread`."""
    me = here()
    if me is None:
        return _real_start_new_thread(function, args, kwargs or {})
    execution = world.execution
    assert execution is not None

    def run() -> None:
        with contextlib.suppress(SystemExit):
            function(*args, **(kwargs or {}))

    name = getattr(function, "__name__", type(function).__name__)
    unit = execution.spawn(name, run, daemon=True)
    execution.sync(me, "start", unit)
    return _ident(unit)


def _ident(unit: Unit) -> int:
    """Its thread's own, or, where many units share a thread, one that no thread has."""
    return unit.ident if unit.greenlet is None or unit.number == 0 else -unit.number


def get_ident() -> int:
    """As `threading.get_ident`."""
    me = here()
    return _get_ident() if me is None else _ident(me)


def main_thread() -> threading.Thread:
    """As `threading.main_thread`; the scenario is told that it runs there."""
    return _real_main_thread()
