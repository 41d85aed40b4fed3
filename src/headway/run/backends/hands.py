"""Threads that have nothing to do wait for the next pool: to start one costs more than many a call."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["Duty", "some_wait"]

MOST = 256
"""So many threads are kept."""

IDLE_S = 5.0
"""So long each of them waits."""


class Duty:
    """What a thread is to do, be it a new one or one that is there.

    Args:
        target: It.
        args: Its arguments.
        name: What the thread is called meanwhile.
        last: Whether it is to have a thread of its own: it leaves things there that are nobody else's.
    """

    def __init__(self, target: Callable[..., None], args: tuple[Any, ...], name: str, *, last: bool) -> None:
        self.target = target
        self.args = args
        self.name = name
        self.last = last
        self.thread: threading.Thread | None = None
        """Who has it; None before it has begun."""
        self._over = threading.Lock()
        self._over.acquire()

    def start(self) -> None:
        """Have a thread do it.

        Raises:
            RuntimeError: None was there, and none could be started.
        """
        if not self.last and _kept(self._over):
            with contextlib.suppress(IndexError):
                _idle.pop().give(self)
                return
        try:
            _Hand(self).thread.start()
        except RuntimeError:
            self._over.release()
            raise

    def end(self) -> None:
        """It is done."""
        self._over.release()

    def join(self) -> None:
        """Wait until it is done, or could not be begun."""
        with self._over:
            pass


def some_wait() -> int:
    """How many duties would find a thread that is there."""
    return len(_idle) if _idle and _kept(threading.Lock()) else 0


def _kept(lock: object) -> bool:
    """Whether threads that are made now may be kept, by a lock that is made now."""
    # One of gevent's belongs to a hub, and one of an exploration ends with it.
    return type(lock).__module__ == "_thread"


class _Unawaited(threading.Event):
    """An event for which nobody waits."""

    def wait(self, timeout: float | None = None) -> bool:
        return True


class _Hand:
    """A thread that does one duty after the other."""

    def __init__(self, duty: Duty) -> None:
        self._duty: Duty | None = duty
        self._gate = threading.Lock()
        self._gate.acquire()
        # A daemon: nothing has to be done before the program ends. Whoever gives a duty sees to that.
        self.thread = threading.Thread(target=self._run, name=duty.name, daemon=True)
        if _kept(self._gate):
            # `start` waits for this, that is for the new thread to have had the GIL: half of what a start costs. Nobody
            # here needs to know. A threading without this attribute waits as ever.
            self.thread._started = _Unawaited()  # type: ignore[attr-defined]

    def give(self, duty: Duty) -> None:
        """Have it do this next; it is idle."""
        self._duty = duty
        self._gate.release()

    def _run(self) -> None:
        while (duty := self._duty) is not None:
            duty.thread = self.thread
            self.thread.name = duty.name
            stays = False
            try:
                duty.target(*duty.args)
                stays = not duty.last
            finally:
                self._duty = None
                # Subtle: before it is said to be over, so that who waits for that finds this thread.
                stays = stays and self._park()
                duty.end()
            del duty
            if not stays:
                return
            if not self._gate.acquire(timeout=IDLE_S):
                with contextlib.suppress(ValueError):
                    _idle.remove(self)
                    return
                self._gate.acquire()  # somebody took it at the last moment

    def _park(self) -> bool:
        if not _kept(self._gate) or len(_idle) >= MOST:
            return False
        _idle.append(self)
        return True


# No lock around it, in whose line hundreds of threads would stand that end at once: each of its methods is one step.
_idle: deque[_Hand] = deque()


def _forget() -> None:
    """After a fork: the threads are the parent's."""
    _idle.clear()


os.register_at_fork(after_in_child=_forget)
