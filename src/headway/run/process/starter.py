"""Starting the workers of a pool, as its calls need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.run.cores import available_cores
from headway.run.process import reserve
from headway.run.process.handle import Handle
from headway.run.process.spawn import Surroundings, set_up, spawn
from headway.run.process.unpicklable import cannot_send

if TYPE_CHECKING:
    from headway.run.process.pool import Pool

__all__ = ["Starter"]


class Starter:
    """Starts workers. Its numbers are guarded by the lock of the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.starting = 0
        """So many are being started, and are not among the pool's workers yet."""
        self.failed = 0
        """So many that were started last have died before their first call."""

    def start(self) -> None:
        """Start as many workers as the calls that wait can use."""
        pool = self._pool
        while True:
            with pool.lock:
                starting = self.starting + sum(not handle.ready for handle in pool.handles)
                if (
                    pool.failure is not None
                    or len(pool.queue) <= starting
                    or len(pool.handles) + self.starting >= pool.workers
                ):
                    return
                self.starting += 1
            try:
                handle = self._start()
            except BaseException as error:
                with pool.lock:
                    self.starting -= 1
                    alone = not pool.handles and not self.starting
                if not isinstance(error, Exception):
                    raise
                # A system that has no room for one more worker may have some.
                if alone or not isinstance(error, OSError):
                    pool.break_down(error)
                return
            with pool.lock:
                self.starting -= 1
                pool.handles.add(handle)
                pool.receiver.add(handle)

    def _start(self) -> Handle:
        pool = self._pool
        setup = pool.setup
        like = Surroundings.now(max(1, available_cores() // pool.workers), setup.memory_bytes)
        handle = None if setup.initializer else reserve.take(like)
        if handle is None:
            handle = spawn(like)
        try:
            set_up(handle, setup, pool.outgoing.local)
        except BaseException as error:
            handle.kill()
            handle.reap()
            if isinstance(error, Exception) and setup.initializer:
                raise cannot_send((setup.initializer, setup.initargs), "initializer", error) from error
            raise
        return handle
