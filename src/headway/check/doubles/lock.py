"""Locks: `Lock` and `RLock`."""

from __future__ import annotations

import _thread
import threading
from typing import TYPE_CHECKING, Any

from headway.check.hook import hook
from headway.check.place import Place
from headway.check.world import world

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["Lock", "RLock", "seconds_to_ns"]

# Taken before anything is doubled.
_get_ident = _thread.get_ident
_allocate_lock = _thread.allocate_lock
_real_rlock = _thread.RLock


def seconds_to_ns(seconds: float) -> int:
    """A timeout in ns; too long ones raise as those of the real thing."""
    if seconds > threading.TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")
    return round(seconds * 1e9)


def deadline_of(execution: Execution, blocking: bool, timeout: float) -> int | None:
    """When an acquire of a lock gives up, or None; with the errors of the real thing."""
    if not blocking and timeout != -1:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if timeout < 0 and timeout != -1:
        raise ValueError("timeout value must be a non-negative number")
    if not blocking or timeout == 0:
        execution.glances = True
    return None if timeout == -1 else execution.now_ns + seconds_to_ns(timeout)


class Lock(Place):
    """A `threading.Lock` at points. Outside an execution it is a real one."""

    __slots__ = ("_execution", "shut_by")
    noun = "lock"

    def __init__(self) -> None:
        super().__init__()
        self._execution: Execution | None = None
        self.shut_by: Unit | None = None
        """The unit that has it."""
        self._real = _allocate_lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As `threading.Lock.acquire`."""
        execution = world.execution
        if execution is None or execution.ident != _get_ident():
            return bool(self._real.acquire(blocking, timeout))
        if self._execution is not execution:  # what an execution before left locked is free
            self._execution = execution
            self.shut_by = None
        me = execution.running
        if blocking:
            execution.sync(me, "acquire", self, self, deadline_of(execution, blocking, timeout))
        else:
            deadline_of(execution, blocking, timeout)
            execution.sync(me, "try", self)
        if self.shut_by is not None and not me.unwinding:
            return False
        self.shut_by = me
        if not execution.plain:
            me.held.add(self)
        if execution.watcher is not None:
            execution.watcher.acquired(me, self)
        return True

    def __enter__(self) -> bool:
        """What `acquire` does, for what programs do most, where nobody else needs to be told."""
        execution = hook.plain
        if execution.ident != _get_ident():
            return self.acquire()
        if self._execution is not execution:
            self._execution = execution
            self.shut_by = None
        me = execution.running
        me.steps += 1
        me.kind = "acquire"
        me.owner = self
        me.variable = None
        me.write = True
        me.gate = self
        execution.idle = 0
        execution.arrive(me)
        if self.shut_by is not None and not me.unwinding:
            return False
        self.shut_by = me
        return True

    def __exit__(self, kind: object = None, error: object = None, trace: object = None) -> None:
        execution = hook.plain
        if (
            execution.ident != _get_ident()
            or execution.points_at_release
            or self.shut_by is None
            or self._execution is not execution
        ):
            self._let_go()
        else:  # what that does, for what programs do most
            execution.running.steps += 1
            execution.alone = False
            self.shut_by = None

    def _let_go(self) -> None:
        execution = world.execution
        if execution is None or execution.ident != _get_ident():
            self._real.release()
            return
        me = execution.running
        execution.release(me, self)
        holder = self.shut_by
        if holder is None or self._execution is not execution:
            if me.unwinding:
                return
            raise RuntimeError("release unlocked lock")
        if not execution.plain:
            holder.held.discard(self)
        self.shut_by = None
        if execution.watcher is not None:
            execution.watcher.released(me, self)

    def locked(self) -> bool:
        """As `threading.Lock.locked`."""
        execution = world.execution
        if execution is None or execution.ident != _get_ident():
            return bool(self._real.locked())
        execution.glances = True
        execution.sync(execution.running, "locked", self)
        return self.shut_by is not None and self._execution is execution

    release = __exit__
    acquire_lock, release_lock, locked_lock = acquire, release, locked

    @property
    def held_by(self) -> Unit | None:
        """The unit that has it."""
        return self.shut_by

    def _is_owned(self) -> bool:  # for Condition: as the real one tells it
        return self.shut_by is not None or self._real.locked()

    def _release_save(self) -> None:
        execution = world.execution
        if execution is None or execution.ident != _get_ident():
            self._real.release()
            return
        if not execution.plain:
            execution.running.held.discard(self)
        self.shut_by = None
        if execution.watcher is not None:
            execution.watcher.released(execution.running, self)

    def _acquire_restore(self, saved: object) -> None:
        self.acquire()

    def _at_fork_reinit(self) -> None:
        self.shut_by = None
        self._real = _allocate_lock()

    def __repr__(self) -> str:
        status = "locked" if self._is_owned() else "unlocked"
        return f"<{status} _thread.lock object at {id(self):#x}>"


class RLock(Place):
    """A `threading.RLock` at points. Taking it again is no point: nobody else can tell."""

    __slots__ = ("_count", "_execution", "shut_by")
    noun = "lock"

    def __init__(self) -> None:
        super().__init__()
        self._execution: Execution | None = None
        self.shut_by: Unit | None = None
        """The unit that has it."""
        self._count = 0
        self._real = _real_rlock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As `threading.RLock.acquire`."""
        execution = world.execution
        if execution is None or execution.ident != _get_ident():
            return bool(self._real.acquire(blocking, timeout))
        if self._execution is not execution:
            self._execution = execution
            self.shut_by = None
            self._count = 0
        me = execution.running
        if self.shut_by is me:
            self._count += 1
            return True
        if blocking:
            execution.sync(me, "acquire", self, self, deadline_of(execution, blocking, timeout))
        else:
            deadline_of(execution, blocking, timeout)
            execution.sync(me, "try", self)
        if self.shut_by is not None and not me.unwinding:
            return False
        self.shut_by = me
        self._count = 1
        if not execution.plain:
            me.held.add(self)
        if execution.watcher is not None:
            execution.watcher.acquired(me, self)
        return True

    __enter__ = acquire

    def release(self) -> None:
        """As `threading.RLock.release`."""
        execution = world.execution
        if execution is None or execution.ident != _get_ident():
            self._real.release()
            return
        me = execution.running
        if self.shut_by is not me or self._execution is not execution:
            if me.unwinding:
                return
            raise RuntimeError("cannot release un-acquired lock")
        if self._count > 1:
            self._count -= 1
            return
        execution.release(me, self)
        self._release_save()

    def __exit__(self, *exc: object) -> None:
        self.release()

    def locked(self) -> bool:
        """As `threading.RLock.locked`, which is there from Python 3.14 on."""
        execution = world.execution
        if execution is None or execution.ident != _get_ident():
            return bool(self._real.locked())
        execution.glances = True
        execution.sync(execution.running, "locked", self)
        return self.shut_by is not None and self._execution is execution

    @property
    def held_by(self) -> Unit | None:
        """The unit that has it."""
        return self.shut_by

    def _is_owned(self) -> bool:
        execution = world.execution
        if execution is None or execution.ident != _get_ident():
            return bool(self._real._is_owned())
        return self.shut_by is execution.running and self._execution is execution

    def _recursion_count(self) -> int:
        return self._count if self._is_owned() else 0

    def _release_save(self) -> Any:
        execution = world.execution
        if execution is None or execution.ident != _get_ident():
            return self._real._release_save()
        if self.shut_by is not execution.running:
            raise RuntimeError("cannot release un-acquired lock")
        count, self._count = self._count, 0
        if not execution.plain:
            self.shut_by.held.discard(self)
        self.shut_by = None
        if execution.watcher is not None:
            execution.watcher.released(execution.running, self)
        return count

    def _acquire_restore(self, saved: Any) -> None:
        execution = world.execution
        if execution is None or execution.ident != _get_ident():
            self._real._acquire_restore(saved)
            return
        self.acquire()
        self._count = saved

    def _at_fork_reinit(self) -> None:
        self.shut_by = None
        self._count = 0
        self._real = _real_rlock()

    def __repr__(self) -> str:
        status = "unlocked" if self.shut_by is None else "locked"
        owner = 0 if self.shut_by is None else self.shut_by.ident
        return f"<{status} _thread.RLock object owner={owner} count={self._count} at {id(self):#x}>"
