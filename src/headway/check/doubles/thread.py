"""`threading.Thread`: its methods, doubled in place, so that subclasses have them too."""

from __future__ import annotations

import _thread
import contextlib
import sys
import threading
from concurrent.futures.thread import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from headway.check.doubles.condition import Event
from headway.check.unit import Unit
from headway.check.world import here, world

if TYPE_CHECKING:
    from headway.check.execution import Execution

__all__ = ["METHODS", "counters", "fresh_names", "get_ident", "main_thread", "orders", "start_new_thread"]

# Taken before anything is doubled.
_Thread = threading.Thread
_real_init = threading.Thread.__init__
_real_start = threading.Thread.start
_real_join = threading.Thread.join
_real_is_alive = threading.Thread.is_alive
_real_start_new_thread = _thread.start_new_thread
_get_ident = _thread.get_ident
_real_main_thread = threading.main_thread
_get_native_id = threading.get_native_id
_threading: Any = threading  # also what it keeps for itself
_example = threading.Thread(name="example", daemon=False)
_HANDLE = next((name for name in ("_handle", "_os_thread_handle") if name in vars(_example)), "")
"""Since 3.13, and since 3.14."""


class _Counter:
    """Numbers that begin anew with each execution."""

    __slots__ = ("first", "following")

    def __init__(self, first: int) -> None:
        self.first = self.following = first

    def __call__(self) -> int:
        self.following += 1
        return self.following - 1


orders, _names, _pools = _Counter(1), _Counter(1), _Counter(0)


def _unit_of(thread: threading.Thread, execution: Execution) -> Unit | None:
    """The unit of this execution that a thread is."""
    unit: Unit | None = thread.__dict__.get("_headway_unit")
    if unit is None:
        return None
    units = execution.units
    return unit if unit.number < len(units) and units[unit.number] is unit else None


def start(self: threading.Thread) -> None:
    """As `threading.Thread.start`."""
    execution = world.execution
    if execution is None or execution.ident != _get_ident():
        _real_start(self)
        return
    me = execution.running
    state = self.__dict__
    if not state.get("_initialized"):
        raise RuntimeError("thread.__init__() not called")
    started = state["_started"]
    if started._flag:
        raise RuntimeError("threads can only be started once")
    if me.unwinding:
        return
    if type(self) is _Thread:
        name, daemon = state["_name"], state["_daemonic"]
    else:  # it may say so in its own way
        name, daemon = self.name, self.daemon
    unit = execution.spawn(name, partial(_run, self), daemon=daemon)
    state["_headway_unit"] = unit
    started._flag = True
    execution.sync(me, "start", unit)


def _run(thread: Any) -> None:
    assert world.execution is not None
    ident = _ident(world.execution.running)
    thread._ident = ident
    thread._native_id = _get_native_id()
    active = _threading._active
    active[ident] = thread
    trace, profile = _threading._trace_hook, _threading._profile_hook
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
        if _HANDLE:
            setattr(thread, _HANDLE, _Done(ident))
        else:
            thread._is_stopped = True


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
    execution = world.execution
    if execution is None or execution.ident != _get_ident():
        _real_join(self, timeout)
        return
    unit = _unit_of(self, execution)
    if unit is None:
        if not getattr(self, "_initialized", False) or self is _real_main_thread():
            _real_join(self, timeout)
            return
        if not self._started._flag:  # type: ignore[attr-defined]
            raise RuntimeError("cannot join thread before it is started")
        _real_join(self, timeout)
        return
    me = execution.running
    if unit is me:
        raise RuntimeError("cannot join current thread")
    deadline = None if timeout is None else execution.now_ns + max(0, round(timeout * 1e9))
    execution.join(me, unit, deadline)
    if unit.done and execution.watcher is not None:
        execution.watcher.joined(me, unit)


def is_alive(self: threading.Thread) -> bool:
    """As `threading.Thread.is_alive`."""
    execution = world.execution
    if execution is None or execution.ident != _get_ident() or (unit := _unit_of(self, execution)) is None:
        return False if "_headway_unit" in self.__dict__ else _real_is_alive(self)
    me = execution.running
    execution.look(me, "is_alive", unit)
    if unit.done and execution.watcher is not None:
        execution.watcher.joined(me, unit)
    return not unit.done


def counters() -> list[tuple[Any, str, Any]]:
    """Where the numbers in names come from, and what they are to come from."""
    return [(threading, "_counter", _names), (ThreadPoolExecutor, "_counter", _pools)]


def fresh_names() -> None:
    """The threads of each execution are called Thread-1, Thread-2, and so on."""
    for counter in (orders, _names, _pools):
        counter.following = counter.first


class _Started(Event):
    """A thread's own event, which the program does not see, and so need not know where it was made."""

    __slots__ = ()

    def __init__(self) -> None:
        self._made = self._made_inside = self._real = None
        self.inner = True
        self._flag = self.missed = False
        self._waiters = []


_NEW = {**vars(_example), "_headway_unit": None}
"""What a new thread has, the values of which it shares with others but for those that `initialize` gives it."""
_make_handle: Any = type(vars(_example)[_HANDLE]) if _HANDLE else None


_NAMELESS = object()


def initialize(
    self: threading.Thread,
    group: Any = None,
    target: Any = None,
    name: Any = None,
    args: Any = (),
    kwargs: Any = None,
    *,
    daemon: bool | None = None,
    **others: Any,
) -> None:
    """As `threading.Thread.__init__`, in fewer steps.

    It is not noted in the set of all threads, where each would look for its place.
    """
    execution = world.execution
    me = execution.running if execution is not None and execution.ident == _get_ident() else None
    kind = type(self)
    if (
        me is None
        or group is not None
        or others
        or (kind is not _Thread and kind.__setattr__ is not object.__setattr__)
    ):
        if me is not None:
            self.__dict__["_headway_unit"] = None
        _real_init(self, group, target, name, args, kwargs, daemon=daemon, **others)
        return
    if name:
        name = str(name)
    else:
        name = f"Thread-{_threading._counter()}"
        if target is not None and (called := getattr(target, "__name__", _NAMELESS)) is not _NAMELESS:
            name += f" ({called})"
    state = _NEW.copy()
    state["_target"] = target
    state["_name"] = name
    state["_args"] = args
    state["_kwargs"] = {} if kwargs is None else kwargs
    state["_daemonic"] = me.daemon if daemon is None else daemon
    state["_started"] = _Started()
    state["_stderr"] = sys.stderr
    if _HANDLE:
        state[_HANDLE] = _make_handle()
    if kind is _Thread:
        self.__dict__ = state
    else:  # its own `__init__` may have begun
        self.__dict__.update(state)


def place_in_set(self: threading.Thread) -> int:
    """In place of `threading.Thread.__hash__`: a pool joins its workers in the order in which a set has them."""
    state = self.__dict__
    if "_headway_unit" not in state:
        return object.__hash__(self)
    order: int | None = state.get("_headway_order")
    if order is None:
        order = state["_headway_order"] = orders()
    return order


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
