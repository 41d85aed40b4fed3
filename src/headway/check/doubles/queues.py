"""`queue.SimpleQueue`, which is written in C. The other queues are Python's own, on the doubled locks."""

from __future__ import annotations

import queue
from collections import deque
from typing import TYPE_CHECKING, Any

from headway.check.doubles.lock import seconds_to_ns
from headway.check.place import Place
from headway.check.unit import Asks
from headway.check.world import here, world

if TYPE_CHECKING:
    from headway.check.unit import Unit

__all__ = ["SimpleQueue"]

_RealSimpleQueue = queue.SimpleQueue


class SimpleQueue(Place):
    """A `queue.SimpleQueue`."""

    __slots__ = ("_items",)
    noun = "queue"
    passes = "each"
    """Who takes an item learns from the unit that put it."""

    def __init__(self) -> None:
        super().__init__()
        self._items: deque[Any] = deque()

    def _make_real(self) -> Any:
        made: queue.SimpleQueue[Any] = _RealSimpleQueue()
        while self._items:
            made.put(self._items.popleft())
        return made

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """As `queue.SimpleQueue.put`."""
        me = here()
        if me is None:
            self._outside().put(item)
            return
        execution = world.execution
        assert execution is not None
        execution.sync(me, "put", self)
        if execution.watcher is not None:
            execution.watcher.released(me, self)
        self._items.append(item)

    def put_nowait(self, item: Any) -> None:
        """As `queue.SimpleQueue.put_nowait`."""
        self.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """As `queue.SimpleQueue.get`."""
        if timeout is not None and timeout < 0 and block:
            raise ValueError("'timeout' must be a non-negative number")
        me = here()
        if me is None:
            return self._outside().get(block, timeout)
        execution = world.execution
        assert execution is not None
        deadline = None if timeout is None or not block else execution.now_ns + seconds_to_ns(timeout)
        gate = Asks(self._filled, me) if block else None
        execution.sync(me, "wait" if block else "try", self, gate, deadline)
        if not self._items:
            raise queue.Empty
        if execution.watcher is not None:
            execution.watcher.acquired(me, self)
        return self._items.popleft()

    def get_nowait(self) -> Any:
        """As `queue.SimpleQueue.get_nowait`."""
        return self.get(block=False)

    def qsize(self) -> int:
        """As `queue.SimpleQueue.qsize`."""
        me = here()
        if me is None:
            return int(self._outside().qsize())
        execution = world.execution
        assert execution is not None
        execution.look(me, "qsize", self)
        return len(self._items)

    def empty(self) -> bool:
        """As `queue.SimpleQueue.empty`."""
        return self.qsize() == 0

    @property
    def free(self) -> int:
        """Items that can be taken now."""
        return len(self._items)

    def _filled(self, unit: Unit) -> bool:
        return bool(self._items)
