"""How many calls go to a worker at once."""

from __future__ import annotations

from headway.run.batch import Portion

__all__ = ["Sizer"]

_GROWTH = 8
"""A batch may hold so many times more calls than the largest that was measured."""

_SMALLEST = 8
"""Towards the end batches get smaller, down to this part of their best size."""


class Sizer:
    """Sizes batches so that each runs for about `batch_ns`, from what the calls so far took.

    Begins with single calls. Slow calls stay single; when calls get slower, or uneven, batches shrink at once.

    Args:
        batch_ns: As in `Backend`; 0 gives single calls for ever.
    """

    def __init__(self, batch_ns: int) -> None:
        self._batch_ns = batch_ns
        # Sums over the portions so far, each portion counting half as much as the one after it.
        self._calls = 0.0
        self._run_ns = 0.0
        self._off_ns = 0.0
        self._largest = 0
        self._sent = 0.0
        self._sending_ns = 0.0
        self._count = 0  # as many as run for `batch_ns`; 0 is not known
        self._stale = False  # something was learnt since

    def learn(self, portion: Portion) -> None:
        """Take in how long some calls took."""
        _, _, values, _, (_, started_ns, ended_ns, _, _) = portion
        count = len(values)
        if not count or not started_ns:
            return
        run_ns = ended_ns - started_ns
        self._calls = self._calls / 2 + count
        self._run_ns = self._run_ns / 2 + run_ns
        self._off_ns = self._off_ns / 2 + abs(run_ns - count * self._run_ns / self._calls)
        if count > self._largest:
            self._largest = count
        self._stale = True

    def sent(self, count: int, took_ns: int) -> None:
        """Take in how long it took the caller to give `count` calls to the backend: large arguments count, too."""
        self._sent = self._sent / 2 + count
        self._sending_ns = self._sending_ns / 2 + took_ns
        self._stale = True

    @property
    def call_ns(self) -> float:
        """What a call takes, on the safe side."""
        return max(
            (self._run_ns + 2 * self._off_ns) / max(self._calls, 1.0), self._sending_ns / max(self._sent, 1.0)
        )

    def size(self, remaining: int | None, workers: int) -> int:
        """How many calls the next batch should hold.

        Args:
            remaining: How many calls there will be, if that is known; then the last batches get smaller, so that
                all workers end together (guided self-scheduling, Polychronopoulos and Kuck 1987).
            workers: How many share them.
        """
        if not self._batch_ns or not self._largest:
            return 1
        if self._stale:
            self._count = min(int(self._batch_ns / max(self.call_ns, 1.0)), self._largest * _GROWTH)
            self._stale = False
        count = self._count
        if count > 1 and remaining is not None:
            count = min(count, max(-(-remaining // (2 * workers)), count // _SMALLEST))
        return max(count, 1)
