"""A stage of a flow: it gives batches to its backend and takes outcomes back, with backpressure.

Nothing here is shared between threads, so nothing is locked; see `flow`.
"""

from __future__ import annotations

import heapq
import itertools
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import CoroutineType
from typing import Any

from headway import seam
from headway.run.backends.contract import Backend
from headway.run.backends.serial import NotBegun
from headway.run.batch import NO_KWARGS, Batch, Portion
from headway.run.choice import Choice
from headway.run.coroutines import Begun, finish
from headway.run.report import Tally
from headway.run.retry import Retry
from headway.run.sizing import Sizer
from headway.run.source import Source

__all__ = ["Stage"]


_NONE_FAILED: dict[int, BaseException] = {}
"""Nobody changes the errors of what is kept."""


class _Slot:
    """A batch and what has come back of it, until the last of it was passed on."""

    __slots__ = ("batch", "missing", "next", "parts", "tries")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.missing = len(batch.items)
        self.next = 0
        # Most batches need neither.
        self.parts: dict[int, tuple[list[Any], dict[int, BaseException]]] | None = None
        self.tries: dict[int, int] | None = None

    def end(self) -> None:
        """Nothing of it will come any more. Without the cycle, its items go now, and not with the garbage of later."""
        self.batch.tag = None


class Stage:
    """One function that all items go through.

    Args:
        fn: What to call.
        choice: Of the backend.
        star: Whether an item is a tuple of arguments.
        kwargs: For all calls.
        ordered: Whether results leave in the order of their items.
        on_error: "raise", "return" or "skip".
        retry: Of failed calls.
        timeout_s: For each call.
        buffer: How many items may be out at a time; None lets it depend on how long they take.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        choice: Choice,
        *,
        star: bool = False,
        kwargs: Mapping[str, Any] = NO_KWARGS,
        ordered: bool = True,
        on_error: str = "raise",
        retry: Retry | None = None,
        timeout_s: float | None = None,
        buffer: int | None = None,
    ) -> None:
        self.fn = fn
        self.choice = choice
        self.tally = Tally()
        self.failure: BaseException | None = None
        self.ready: deque[list[Any]] = deque()
        """Chunks of results, not one of them empty."""
        self._star = star
        self._kwargs = kwargs
        self._ordered = ordered
        self._on_error = on_error
        self._retry = retry
        self._timeout_s = timeout_s
        self._buffer = buffer
        self._sizer = Sizer(choice.backend.batch_ns)
        self._sized_for = choice.backend
        self._slots: deque[_Slot] = deque()  # the open batches in the order of their items
        self._later: list[tuple[int, int, _Slot, int]] = []  # heap of retries: when, tie-breaker, what
        self._ties = itertools.count()
        self._left: deque[tuple[_Slot, int, int]] = deque()  # what a backend did not begin of its batches
        self._out = 0  # items given to the backend whose results were not yet taken from `ready`
        self._turn = 1  # so many single calls are given, and so many results taken, at a time
        self._full = sys.maxsize  # with more than this out, a backend of so many workers needs no more
        self._full_workers = 0
        self._put: Callable[[Portion], None]
        self._upstream: Source | Stage

    def connect(self, upstream: Source | Stage, put: Callable[[Portion], None]) -> None:
        """Say where items come from, and where backends put portions."""
        self._upstream = upstream
        self._put = put

    @property
    def length(self) -> int | None:
        """How many results there will be, if that is known."""
        return None if self._on_error == "skip" else self._upstream.length

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._intake_ended and not self._slots and not self.ready

    @property
    def _intake_ended(self) -> bool:
        return self.failure is not None or self._upstream.ended

    @property
    def busy(self) -> bool:
        """Whether something is out that will come back."""
        return bool(self._slots)

    @property
    def due_ns(self) -> int | None:
        """When the next retry is due, on the monotonic clock."""
        return self._later[0][0] if self._later else None

    slow = False
    """Whether to take something takes long: never."""

    def get(self, count: int) -> list[Any]:
        """Results for the next stage, `count` at most."""
        got: list[Any] = []
        while self.ready and len(got) < count:
            chunk = self.ready.popleft()
            room = count - len(got)
            if len(chunk) > room:
                self.ready.appendleft(chunk[room:])
                chunk = chunk[:room]
            got += chunk
        self._out -= len(got)
        return got

    def take_chunk(self) -> list[Any]:
        """The oldest results: a chunk, or several that are short."""
        chunk = self.ready.popleft()
        if self._turn > 1 and self.ready:
            chunk = chunk.copy()
            while self.ready and len(chunk) + len(self.ready[0]) <= self._turn:
                chunk += self.ready.popleft()
        self._out -= len(chunk)
        return chunk

    def pump(self) -> bool:
        """Give the backend as much as it should have now.

        Returns:
            Whether it should have more, and only the input is too slow: results are not to wait for it.
        """
        if self.ready and self.choice.backend.name == "serial":
            return False  # it runs calls at once, and the reader should not wait for them
        self._retry_what_is_due()
        while self._left and self.failure is None:
            self._begin_left()
            if self.choice.backend.name == "serial":
                return False
        backend = self.choice.backend
        if self._out > self._full and backend is self._sized_for and backend.workers == self._full_workers:
            return False
        while not self._intake_ended:
            backend = self.choice.backend
            if backend is not self._sized_for:
                self._sizer, self._sized_for = Sizer(backend.batch_ns), backend
            length = self._upstream.length
            remaining = None if length is None else length - self.tally.submitted
            count = self._sizer.size(remaining, backend.workers)
            if self._buffer is not None:
                count = max(1, min(count, self._buffer // (2 * backend.workers)))
            allowed = self._allowed(count, backend)
            room = allowed - self._out
            # What is free is kept until it is a whole batch: small ones cost more than they fill. With single calls it
            # is as much as the workers run at a time, of which as much again and more still stands in line.
            self._full = sys.maxsize
            self._turn = backend.workers if count == 1 and self._buffer is None and allowed > 1 else 1
            if room < (count if count > 1 else self._turn):
                self._full, self._full_workers = allowed - self._turn, backend.workers
                return False
            for _ in range(room if count == 1 else 1):
                items = self._upstream.get(count)
                if not items:
                    return False
                self._submit(backend, items)
                if self._upstream.slow:
                    return True
            if count == 1:
                return False
        self.choice.expect_no_more()
        return False

    def _begin_left(self) -> None:
        slot, start, stop = self._left.popleft()
        count = self._sizer.size(None, 1)
        if start + count < stop:
            self._left.appendleft((slot, start + count, stop))
        self._submit_part(
            slot, start, min(start + count, stop), number=slot.batch.number and slot.batch.number + start
        )

    def _submit_part(self, slot: _Slot, start: int, stop: int, number: int | None = None) -> None:
        """Give the backend some of the calls of a batch once more; without a number they are new jobs."""
        self._submit_again(self._batch(slot.batch.items[start:stop]), slot, start, number)

    def _submit_again(self, batch: Batch, slot: _Slot, start: int, number: int | None = None) -> None:
        batch.origin = self
        batch.tag = (self, slot, start)
        if number is not None:
            batch.number = number
        elif seam.observers:
            seam.submitted(batch, self.choice.backend.name)
        self.choice.backend.submit(batch)

    def _batch(self, items: Sequence[Any]) -> Batch:
        return Batch(
            self.choice.form(self.fn),
            items,
            self._put,
            star=self._star,
            kwargs=self._kwargs,
            timeout_s=self._timeout_s,
        )

    def _allowed(self, count: int, backend: Backend) -> int:
        """How many items may be out."""
        if backend.name == "serial":
            return count  # it runs calls at once, and must not run ahead of the reader
        return self._buffer or self.choice.ahead * backend.workers * count

    def _submit(self, backend: Backend, items: list[Any]) -> None:
        batch = self._batch(items)
        slot = _Slot(batch)
        batch.origin = self
        batch.tag = (self, slot, 0)
        self._slots.append(slot)
        self._out += len(items)
        self.tally.submitted += len(items)
        if seam.observers:
            seam.submitted(batch, backend.name)
        began_ns = time.perf_counter_ns()
        backend.submit(batch)
        if backend.name != "serial":
            self._sizer.sent(len(items), time.perf_counter_ns() - began_ns)

    def take(self, portion: Portion) -> None:
        """Take in outcomes that came back."""
        if portion.errors and isinstance(portion.errors.get(0), NotBegun):
            _, slot, offset = portion.batch.tag
            start = offset + portion.first
            self._left.append((slot, start, start + len(portion.values)))
            return
        batch, first, values, errors, _ = portion
        self.tally.add(portion)
        self._sizer.learn(portion)
        if seam.observers:
            seam.ended(portion)
        # One value says so itself, and most portions of slow calls have one.
        begun = self.choice.begun(portion) if len(values) != 1 or type(values[0]) is CoroutineType else None
        if not begun:
            length = self._upstream.length
            self.choice.learn(portion, None if length is None else length - self.tally.done)
        _, slot, offset = batch.tag
        first += offset
        if begun or errors:
            self._keep_some(slot, first, portion, frozenset(begun or ()))
        else:
            self._keep(slot, first, values, _NONE_FAILED)

    def _keep_some(self, slot: _Slot, first: int, portion: Portion, begun: frozenset[int]) -> None:
        """Keep the outcomes that are final; finish coroutines that were begun, and try again what failed."""
        start = 0
        kept: dict[int, BaseException] = {}
        for place in sorted(begun.union(portion.errors)):
            if place in begun:
                self.tally.done -= 1
                coroutine = Begun(portion.values[place])
                batch = Batch(finish, [coroutine], self._put, timeout_s=self._timeout_s)
                self._submit_again(batch, slot, first + place)
            else:
                pause_s = self._pause_s(slot, first + place, portion.errors[place])
                if pause_s is None:
                    kept[place - start] = portion.errors[place]
                    continue
                self._later_add(slot, first + place, int(pause_s * 1e9))
            self._keep(slot, first + start, portion.values[start:place], kept)
            start, kept = place + 1, {}
        self._keep(slot, first + start, portion.values[start:], kept)

    def _pause_s(self, slot: _Slot, index: int, error: BaseException) -> float | None:
        """How long until a failed call runs again; None if that was it."""
        if self.choice.rescue(error):
            self.tally.done -= 1
            return 0.0
        tried = (slot.tries or {}).get(index, 0) + 1
        pause_s = None if self._retry is None else self._retry.again(error, tried)
        if pause_s is not None:
            if slot.tries is None:
                slot.tries = {}
            slot.tries[index] = tried
            self.tally.done -= 1
            self.tally.retried += 1
        return pause_s

    def _later_add(self, slot: _Slot, index: int, pause_ns: int) -> None:
        heapq.heappush(self._later, (time.monotonic_ns() + pause_ns, next(self._ties), slot, index))

    def _retry_what_is_due(self) -> None:
        while self._later and self._later[0][0] <= time.monotonic_ns():
            _, _, slot, index = heapq.heappop(self._later)
            if self.failure is not None:
                continue
            self._submit_part(slot, index, index + 1)

    def _keep(self, slot: _Slot, first: int, values: list[Any], errors: dict[int, BaseException]) -> None:
        """Keep outcomes that are final, and pass on what is next."""
        count = len(values)
        if not count:
            return
        slot.missing -= count
        if not self._ordered:
            self._pass_on(values, errors)
            if not slot.missing and self.failure is None:
                self._slots.remove(slot)
                slot.end()
            return
        if not self._slots or self._slots[0] is not slot or slot.next != first:  # its turn is to come
            if slot.parts is None:
                slot.parts = {}
            slot.parts[first] = (values, errors)
            return
        slots, ready = self._slots, self.ready
        while True:
            slot.next += count
            if slot.next == len(slot.batch.items):
                slots.popleft()
                slot.end()
            if errors:
                self._pass_on(values, errors)
                if self.failure is not None:
                    return
            else:
                ready.append(values)
            if not slots:
                return
            slot = slots[0]
            part = None if slot.parts is None else slot.parts.pop(slot.next, None)
            if part is None:
                return
            values, errors = part
            count = len(values)

    def _pass_on(self, values: list[Any], errors: dict[int, BaseException]) -> None:
        if not errors:
            self.ready.append(values)
            return
        self.tally.failed += len(errors)
        if self._on_error == "return":
            for place, error in errors.items():
                values[place] = error
            self.ready.append(values)
        elif self._on_error == "skip":
            self._out -= len(errors)
            kept = [value for place, value in enumerate(values) if place not in errors]
            if kept:
                self.ready.append(kept)
        else:
            place = min(errors)
            if place:
                self.ready.append(values[:place])
            self.fail(errors[place])

    def fail(self, error: BaseException) -> None:
        """End with an error: what is ready is still given out, nothing else is begun or waited for."""
        self.failure = error
        self._slots.clear()
        self._later.clear()
        self._left.clear()
