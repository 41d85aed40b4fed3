"""`Condition`, `Event`, `Semaphore` and `BoundedSemaphore`. `Barrier` and `queue.Queue` are Python's own, on these."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headway.check.doubles.lock import RLock, seconds_to_ns
from headway.check.place import Place
from headway.check.unit import Asks
from headway.check.world import here, world

if TYPE_CHECKING:
    from headway.check.unit import Unit

__all__ = ["BoundedSemaphore", "Condition", "Event", "Semaphore"]

# Taken before anything is doubled.
_RealCondition = threading.Condition
_RealEvent = threading.Event
_RealSemaphore = threading.Semaphore


def _deadline(timeout: float | None) -> int | None:
    execution = world.execution
    assert execution is not None
    return None if timeout is None else execution.now_ns + max(0, seconds_to_ns(timeout))


class Condition(Place):
    """A `threading.Condition`: to release the lock and to stand in line is one step, as with the real one."""

    __slots__ = ("_lock", "_waiters", "acquire", "missed", "release")
    noun = "condition"

    def __init__(self, lock: Any = None) -> None:
        super().__init__()
        self._lock = RLock() if lock is None else lock
        self.acquire = self._lock.acquire
        self.release = self._lock.release
        self._waiters: deque[Unit] = deque()
        self.missed = False
        """Was it notified when nobody waited?"""

    def __enter__(self) -> Any:
        return self._lock.__enter__()

    def __exit__(self, *exc: object) -> Any:
        return self._lock.__exit__(*exc)

    def _make_real(self) -> Any:
        real: Any = _RealCondition
        return real(self._lock)

    def wait(self, timeout: float | None = None) -> bool:
        """As `threading.Condition.wait`."""
        me = here()
        if me is None:
            return bool(self._outside().wait(timeout))
        execution = world.execution
        assert execution is not None
        if not self._lock._is_owned():
            raise RuntimeError("cannot wait on un-acquired lock")
        execution.release(me, self._lock)
        deadline = _deadline(timeout)
        self._waiters.append(me)
        saved = self._lock._release_save()
        try:
            execution.sync(me, "wait", self, Asks(self._notified, me), deadline)
            notified = me not in self._waiters
            if notified and execution.watcher is not None:
                execution.watcher.acquired(me, self)
        finally:
            if me in self._waiters:
                self._waiters.remove(me)
            self._lock._acquire_restore(saved)
        return notified

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """As `threading.Condition.wait_for`."""
        execution = world.execution
        if here() is None or execution is None:
            return self._outside().wait_for(predicate, timeout)
        end = _deadline(timeout)
        result = predicate()
        while not result:
            left = None if end is None else (end - execution.now_ns) / 1e9
            if left is not None and left <= 0:
                break
            self.wait(left)
            result = predicate()
        return result

    def notify(self, n: int = 1) -> None:
        """As `threading.Condition.notify`: in the order in which they wait."""
        me = here()
        if me is None:
            self._outside().notify(n)
            return
        execution = world.execution
        assert execution is not None
        if not self._lock._is_owned():
            raise RuntimeError("cannot notify on un-acquired lock")
        execution.sync(me, "notify", self)
        if execution.watcher is not None:
            execution.watcher.released(me, self)
        self.missed |= not self._waiters and not self.inner
        while n > 0 and self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done:
                n -= 1

    def notify_all(self) -> None:
        """As `threading.Condition.notify_all`."""
        if here() is None:
            self._outside().notify_all()
        else:
            self.notify(max(1, len(self._waiters)))

    notifyAll = notify_all  # noqa: N815 (its old name)

    def _notified(self, unit: Unit) -> bool:
        return unit not in self._waiters

    def _is_owned(self) -> bool:
        return bool(self._lock._is_owned())

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()
        self._waiters.clear()


class Event(Place):
    """A `threading.Event`."""

    __slots__ = ("_flag", "_waiters", "missed")
    noun = "event"
    passes = "last"
    """Who finds it set learns from the unit that set it; one that sets it once more tells nobody anything."""

    def __init__(self) -> None:
        super().__init__()
        self._flag = False
        self._waiters: list[Unit] = []
        self.missed = False
        """Was it set, and cleared again?"""

    def _make_real(self) -> Any:
        made = _RealEvent()
        if self._flag:
            made.set()
        return made

    def is_set(self) -> bool:
        """As `threading.Event.is_set`."""
        me = here()
        if me is not None:
            execution = world.execution
            assert execution is not None
            execution.look(me, "is_set", self)
            if self._flag and execution.watcher is not None:
                execution.watcher.acquired(me, self)
        return self._flag

    isSet = is_set  # noqa: N815 (its old name)

    def set(self) -> None:
        """As `threading.Event.set`."""
        me = here()
        if me is None:
            self._flag = True
            self._outside().set()
            return
        execution = world.execution
        assert execution is not None
        execution.sync(me, "set", self)
        if not self._flag and execution.watcher is not None:
            execution.watcher.released(me, self)
        self._flag = True
        self._waiters.clear()

    def clear(self) -> None:
        """As `threading.Event.clear`."""
        me = here()
        if me is None:
            self._outside().clear()
        else:
            execution = world.execution
            assert execution is not None
            execution.sync(me, "clear", self)
            self.missed |= self._flag
            self._real = None
        self._flag = False

    def wait(self, timeout: float | None = None) -> bool:
        """As `threading.Event.wait`."""
        me = here()
        if me is None:
            return self._flag or bool(self._outside().wait(timeout))
        execution = world.execution
        assert execution is not None
        execution.look(me, "wait", self)
        if not self._flag and (timeout is None or timeout > 0):
            # Who stands in line is woken by `set`, whether or not a `clear` comes before it runs.
            self._waiters.append(me)
            try:
                execution.sync(me, "wait", self, Asks(self._woken, me), _deadline(timeout))
                woken = me not in self._waiters
            finally:
                if me in self._waiters:
                    self._waiters.remove(me)
        else:
            woken = self._flag
        if woken and execution.watcher is not None:
            execution.watcher.acquired(me, self)
        return woken

    def _woken(self, unit: Unit) -> bool:
        return unit not in self._waiters

    def _at_fork_reinit(self) -> None:
        self._real = None

    def __repr__(self) -> str:
        status = "set" if self._flag else "unset"
        return f"<threading.Event at {id(self):#x}: {status}>"


class Semaphore(Place):
    """A `threading.Semaphore`."""

    __slots__ = ("_value",)
    noun = "semaphore"
    passes = "each"
    """Who takes a permit learns from the unit that gave it, in the order in which they were given."""

    def __init__(self, value: int = 1) -> None:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        super().__init__()
        self._value = value

    def _make_real(self) -> Any:
        return _RealSemaphore(self._value)

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """As `threading.Semaphore.acquire`."""
        if not blocking and timeout is not None:
            raise ValueError("can't specify timeout for non-blocking acquire")
        me = here()
        if me is None:
            return bool(self._outside().acquire(blocking, timeout))
        execution = world.execution
        assert execution is not None
        if blocking:
            execution.sync(me, "acquire", self, Asks(self._positive, me), _deadline(timeout))
        else:
            execution.sync(me, "try", self)
        if self._value <= 0 and not me.unwinding:
            return False
        if execution.watcher is not None:
            execution.watcher.acquired(me, self)
        self._value -= 1
        return True

    __enter__ = acquire

    def release(self, n: int = 1) -> None:
        """As `threading.Semaphore.release`."""
        if n < 1:
            raise ValueError("n must be one or more")
        me = here()
        if me is None:
            self._outside().release(n)
            return
        execution = world.execution
        assert execution is not None
        execution.sync(me, "release", self)
        self._check(n)
        if execution.watcher is not None:
            for _ in range(n):
                execution.watcher.released(me, self)
        self._value += n

    def __exit__(self, *exc: object) -> None:
        self.release()

    @property
    def free(self) -> int:
        """Permits that can be taken now."""
        return self._value

    def __repr__(self) -> str:
        return f"<threading.Semaphore at {id(self):#x}: value={self._value}>"

    def _check(self, n: int) -> None:
        pass

    def _positive(self, unit: Unit) -> bool:
        return self._value > 0


class BoundedSemaphore(Semaphore):
    """A `threading.BoundedSemaphore`."""

    __slots__ = ("_initial_value",)

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._initial_value = value

    def __repr__(self) -> str:
        return f"<threading.BoundedSemaphore at {id(self):#x}: value={self._value}/{self._initial_value}>"

    def _check(self, n: int) -> None:
        if self._value + n > self._initial_value:
            raise ValueError("Semaphore released too many times")
