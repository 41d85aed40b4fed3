"""Timers: what a loop is to call later, by its time."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headway.check.asynchronous.units import Timer

__all__ = ["Timers"]


class Timers:
    """Those that are not due yet. One that is cancelled stays where it is until its time."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []

    def __bool__(self) -> bool:
        return bool(self._heap)

    def add(self, timer: Timer, order: int) -> None:
        """One more.

        Args:
            timer: What is called.
            order: Among those of the same time.
        """
        heapq.heappush(self._heap, (timer.when_ns, order, timer))

    def next_ns(self) -> int | None:
        """When the next one is due; None: there is none."""
        heap = self._heap
        while heap and heap[0][2]._cancelled:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now_ns: int) -> list[Timer]:
        """Take those whose time has come."""
        heap = self._heap
        found: list[Timer] = []
        while heap and heap[0][0] <= now_ns:
            timer = heapq.heappop(heap)[2]
            timer._scheduled = False
            if not timer._cancelled:
                found.append(timer)
        return found

    def clear(self) -> None:
        """None is left."""
        self._heap.clear()
