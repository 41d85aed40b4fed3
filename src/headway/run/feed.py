"""An input that is read by a thread of its own, for one that is slow: results need not wait for the next item."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from headway.run.source import Source

__all__ = ["Feed"]


class Feed:
    """Marks an input that may be read in another thread, and should be.

    Args:
        items: The input; it must not mind which thread reads it.
        ahead: So many items at most are read and not yet taken.
    """

    def __init__(self, items: Iterable[Any], ahead: int = 1024) -> None:
        self.items = items
        self.ahead = ahead

    def source(self, wake: Callable[[], None]) -> Source:
        """Begin to read.

        Args:
            wake: Called, from any thread, when there is more, or the end.
        """
        return _ThreadSource(self.items, self.ahead, wake)


class _ThreadSource(Source):
    def __init__(self, items: Iterable[Any], ahead: int, wake: Callable[[], None]) -> None:
        super().__init__(iter(()), None)
        self._read: deque[Any] = deque()
        self._room = threading.Semaphore(ahead)
        self._wake = wake
        self._at_end = False
        self._closed = False
        threading.Thread(target=self._feed, args=(items,), name="headway-input", daemon=True).start()

    def get(self, count: int) -> list[Any]:
        got = [self._read.popleft() for _ in range(min(count, len(self._read)))]
        if got:
            self._room.release(len(got))
        self.ended = self._at_end and not self._read
        return got

    def close(self) -> None:
        # The thread may be inside the input for ever; it is a daemon, and takes nothing more after that.
        self._closed = True
        self._room.release()

    def _feed(self, items: Iterable[Any]) -> None:
        try:
            for item in items:
                self._room.acquire()
                if self._closed:
                    return
                self._read.append(item)
                self._wake()
        except Exception as error:
            self.failure = error
        self._at_end = True
        self._wake()
