"""What comes into a flow."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

__all__ = ["Source"]

_SLOW_NS = 1_000_000


class Source:
    """What comes in: an iterator that is pulled in the reader's thread, never more than is needed.

    Args:
        items: Gives one item for each call.
        length: How many, if that is known.
    """

    def __init__(self, items: Iterator[Any], length: int | None) -> None:
        self._items = items
        self.length = length
        self.ended = False
        self.failure: BaseException | None = None
        self.slow = False
        """Whether an item takes longer than a millisecond to come."""
        self._pull_ns = 0.0

    def get(self, count: int) -> list[Any]:
        """Up to `count` items; fewer at the end, or when the source is too slow to give so many in a millisecond."""
        if self.ended:
            return []
        if count == 1:
            return self._get_one()
        if self._pull_ns:
            count = max(1, min(count, int(_SLOW_NS / self._pull_ns)))
        began_ns = time.perf_counter_ns()
        got: list[Any] = []
        try:
            got.extend(itertools.islice(self._items, count))
        except Exception as error:
            # What came before the failure is in `got`: list.extend appends as it goes.
            self.failure = error
            self.ended = True
        else:
            self.ended = len(got) < count
        if got:
            self._pull_ns = max((time.perf_counter_ns() - began_ns) / len(got), 1.0)
            self.slow = self._pull_ns > _SLOW_NS
        return got

    def _get_one(self) -> list[Any]:
        began_ns = time.perf_counter_ns()
        try:
            item = next(self._items)
        except StopIteration:
            self.ended = True
        except Exception as error:
            self.failure = error
            self.ended = True
        else:
            self._pull_ns = pull_ns = (time.perf_counter_ns() - began_ns) or 1
            self.slow = pull_ns > _SLOW_NS
            return [item]
        return []

    def close(self) -> None:
        """Read no more."""
        self.ended = True
