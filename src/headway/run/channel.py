"""A queue between units of any kind that can be closed."""

from __future__ import annotations

import functools
import math
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, cast

from headway.errors import Cancelled, ChannelClosed, TimedOut, UsageError, WouldBlock
from headway.run.cancellation import CANCELLED
from headway.run.parking import ABANDONED, Waiter, act_after, blocking_waiter, park, task_waiter
from headway.run.rawlock import raw_lock

__all__ = ["CLOSED", "NOTHING", "Channel", "abandon"]

T = TypeVar("T")

NOTHING: Final = object()
CLOSED = "closed"
"""The source of the outcome of a waiter whose channel was closed."""


class Channel(Generic[T]):
    """Passes items from senders to receivers, first come, first served; each item to one receiver.

    Any number of threads, asyncio tasks (of several loops, in several threads) and gevent greenlets may use one
    channel at once. Plain methods block the thread, or the greenlet where there are greenlets; methods that end
    in `_async` are for tasks.

    ```python
    channel = headway.Channel[bytes](capacity=10)
    with channel:                   # closes it at the end
        for page in pages:
            channel.send(page)      # elsewhere: for page in channel: ...
    ```

    Not for signal handlers and finalizers: one that runs inside another call of the same thread would wait for
    itself.

    Args:
        capacity: How many items may lie in it. 0 is a rendezvous: a send waits for its receiver. None is without
            limit.

    Runs on: threads, asyncio, greenlets; not across processes.
    Cost: O(1); a timeout or a cancellation is O(number of waiting units).
    Source: Go's runtime, chan.go: a waiting unit is served by its counterpart, so none can push in.
    """

    # invariants, whenever the lock is free, of the waiters that are not settled:
    # - a receiver waits: there is no item, no sender waits, and the channel is open or an item is in flight
    # - a sender waits: at least `capacity` items are there, and the channel is open
    # An item is in flight from when it was given to a waiting receiver until that one runs, and may yet come back,
    # to the front, if the receiver was cancelled meanwhile; until then nobody is told that the channel has ended.
    __slots__ = (
        "__weakref__",
        "_capacity",
        "_closed",
        "_in_flight",
        "_items",
        "_lock",
        "_receivers",
        "_senders",
    )

    def __init__(self, capacity: int | None = 0) -> None:
        if capacity is not None and (not isinstance(capacity, int) or capacity < 0):
            raise UsageError(
                f"the capacity of a channel is {capacity!r}", hint="it is a whole number from 0 on, or None"
            )
        self._capacity = math.inf if capacity is None else capacity
        self._lock = raw_lock()
        self._items: deque[T] = deque()
        self._receivers: deque[Waiter] = deque()
        self._senders: deque[Waiter] = deque()
        self._in_flight = 0
        self._closed = False

    def send(self, item: T, *, timeout_s: float | None = None) -> None:
        """Put an item in, when there is room or a receiver.

        Raises:
            ChannelClosed: It is closed, or was while this waited. The item is not sent.
            TimedOut: There was no room in time. The item is not sent.
            UsageError: It would have to wait on the thread of a running event loop.
        """
        if self._offer(item):
            return
        waiter = blocking_waiter("Channel.send", "await channel.send_async(item)")
        if not self._offer(item, waiter):
            try:
                park(waiter, timeout_s)
            except BaseException:
                waiter.settle(ABANDONED, None)
                self._forget(waiter)
                raise
            self._sent(waiter, timeout_s)

    async def send_async(self, item: T, *, timeout_s: float | None = None) -> None:
        """As `send`, for asyncio.

        Does not yield to the event loop if it need not wait. If it is cancelled, the item was not sent; except
        when a receiver took it in the same turn of the loop: then it was, and once.
        """
        if self._offer(item):
            return
        waiter = task_waiter()
        if not self._offer(item, waiter):
            try:
                await waiter.park(timeout_s)
            except BaseException:
                waiter.settle(ABANDONED, None)
                self._forget(waiter)
                raise
            self._sent(waiter, timeout_s)

    def send_nowait(self, item: T) -> None:
        """Put an item in, if there is room or a receiver waits.

        Raises:
            WouldBlock: It would have to wait. The item is not sent.
            ChannelClosed: It is closed. The item is not sent.
        """
        if not self._offer(item):
            raise WouldBlock(f"the channel is full, with {len(self)} items, and nobody waits to receive")

    def receive(self, *, timeout_s: float | None = None) -> T:
        """Take the next item, when there is one.

        Raises:
            ChannelClosed: It is closed, and all items have been received.
            TimedOut: None came in time; none is lost.
            UsageError: It would have to wait on the thread of a running event loop.
        """
        item = self._take()
        if item is NOTHING:
            waiter = blocking_waiter("Channel.receive", "await channel.receive_async()")
            item = self._take(waiter)
            if item is NOTHING:
                try:
                    park(waiter, timeout_s)
                except BaseException as error:
                    abandon(waiter, [self], error)
                    raise
                item = self._received(waiter, timeout_s)
        return cast(T, item)

    async def receive_async(self, *, timeout_s: float | None = None) -> T:
        """As `receive`, for asyncio.

        Does not yield to the event loop if it need not wait. If it is cancelled, no item is lost.
        """
        item = self._take()
        if item is NOTHING:
            waiter = task_waiter()
            item = self._take(waiter)
            if item is NOTHING:
                try:
                    await waiter.park(timeout_s)
                except BaseException as error:
                    abandon(waiter, [self], error)
                    raise
                item = self._received(waiter, timeout_s)
        return cast(T, item)

    def receive_nowait(self) -> T:
        """Take the next item, if there is one or a sender waits.

        Raises:
            WouldBlock: It would have to wait.
            ChannelClosed: It is closed, and all items have been received.
        """
        item = self._take()
        if item is NOTHING:
            raise WouldBlock("the channel is empty, and nobody waits to send")
        return cast(T, item)

    def close(self) -> None:
        """Let nobody send any more: those who wait to send get ChannelClosed.

        Items that are in the channel are still received; then its receivers get ChannelClosed, and loops over it
        end. Closing again changes nothing.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            woken = [sender for sender in self._senders if sender.settle(CLOSED, self)]
            self._senders.clear()
            woken += self._end()
        for waiter in woken:
            waiter.wake()

    @property
    def closed(self) -> bool:
        """Whether `close` was called; there may still be items."""
        return self._closed

    @property
    def capacity(self) -> int | None:
        """How many items may lie in it; None is without limit."""
        return None if self._capacity == math.inf else int(self._capacity)

    def __len__(self) -> int:
        return len(self._items)

    def __bool__(self) -> bool:
        return True  # an empty channel is not an absent one: `channel or Channel()`

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        try:
            return self.receive()
        except ChannelClosed:
            raise StopIteration from None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.receive_async()
        except ChannelClosed:
            raise StopAsyncIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Channel{' closed' * self._closed} {len(self)}/{self.capacity} items at {id(self):#x}>"

    def _offer(self, item: T, waiter: Waiter | None = None) -> bool:
        """Send an item if that is possible at once; if not, let the waiter stand in line."""
        receiver = None
        with self._lock:
            if self._closed:
                raise ChannelClosed("the channel is closed: nothing more can be sent")
            if self._receivers:
                receiver = self._serve_receiver(item)
            if receiver is None:
                if len(self._items) < self._capacity:
                    self._items.append(item)
                    return True
                if waiter is not None:
                    waiter.item = item
                    self._senders.append(waiter)
                return False
        if not receiver.wake() and receiver.give_back():
            self._put_back(item)
        return True

    def _take(self, waiter: Waiter | None = None) -> object:
        """Receive an item if that is possible at once; if not, let the waiter stand in line.

        A waiter that may already stand in other lines must be settled before an item is taken for it.

        Returns:
            The item; NOTHING if there is none, or if the waiter has been settled.
        """
        woken: list[Waiter] = []
        with self._lock:
            items = self._items
            item = items.popleft() if items else self._serve_sender(woken)
            if item is NOTHING:
                if self._closed and not self._in_flight:
                    raise ChannelClosed("the channel is closed, and all its items have been received")
                if waiter is not None:
                    self._receivers.append(waiter)
                return NOTHING
            if waiter is not None and not waiter.settle(ABANDONED, self):
                items.appendleft(cast(T, item))  # in front, where it was, even if that is one too many
                item = NOTHING
            while self._senders and len(items) < self._capacity:
                sent = self._serve_sender(woken)
                if sent is not NOTHING:
                    items.append(cast(T, sent))
        for sender in woken:
            sender.wake()  # one whose event loop is closed has sent its item all the same
        return item

    def _serve_sender(self, woken: list[Waiter]) -> object:
        """Settle the first sender that still waits, and take its item; needs the lock."""
        while self._senders:
            # Subtle: settled before it leaves the line, so that an interrupt between the two loses nobody.
            sender = self._senders[0]
            mine = sender.settle(self, None)
            del self._senders[0]
            if mine:
                woken.append(sender)
                return sender.item
        return NOTHING

    def _serve_receiver(self, item: T) -> Waiter | None:
        """Settle the first receiver that still waits; needs the lock."""
        while self._receivers:
            receiver = self._receivers[0]
            mine = receiver.settle(self, item)
            del self._receivers[0]
            if mine:
                self._in_flight += 1
                return receiver
        return None

    def _put_back(self, item: T) -> None:
        """Give an item that a settled receiver did not take to the next one, or put it in front of all others."""
        while True:
            with self._lock:
                self._in_flight -= 1
                receiver = self._serve_receiver(item)
                if receiver is None:
                    self._items.appendleft(item)
            if receiver is None or receiver.wake() or not receiver.give_back():
                return

    def _landed(self) -> None:
        """An item that was given to a waiting receiver has reached it."""
        with self._lock:
            self._in_flight -= 1
            woken = self._end() if self._closed else []
        for receiver in woken:
            receiver.wake()

    def _end(self) -> list[Waiter]:
        """Settle those who wait to receive if nothing can come any more; needs the lock."""
        if not self._closed or self._in_flight or self._items:
            return []
        ended = [receiver for receiver in self._receivers if receiver.settle(CLOSED, self)]
        self._receivers.clear()
        return ended

    def _sent(self, waiter: Waiter, timeout_s: float | None) -> None:
        """Say what came of a wait to send."""
        source, _ = waiter.outcome
        if source is self:
            return
        self._forget(waiter)
        if source is CLOSED:
            raise ChannelClosed("the channel was closed before there was room: the item is not sent")
        if source is CANCELLED:
            raise Cancelled("the scope was cancelled while this waited to send: the item is not sent")
        raise TimedOut(f"there was no room in the channel within {timeout_s} s: the item is not sent")

    def _received(self, waiter: Waiter, timeout_s: float | None) -> object:
        """Say what came of a wait to receive."""
        source, item = waiter.outcome
        if source is self:
            self._landed()
            return item
        self._forget(waiter)
        if source is CLOSED:
            raise ChannelClosed("the channel is closed, and all its items have been received")
        if source is CANCELLED:
            raise Cancelled("the scope was cancelled while this waited to receive: no item is lost")
        raise TimedOut(f"nothing came through the channel within {timeout_s} s: no item is lost")

    def _forget(self, waiter: Waiter) -> None:
        """Take a waiter out of line, if it still stands there."""
        with self._lock:
            for line in (self._receivers, self._senders):
                with suppress(ValueError):
                    line.remove(waiter)


def abandon(waiter: Waiter, channels: Iterable[Channel[Any]], error: BaseException) -> None:
    """Stop waiting to receive because of an exception, and give back what was received already."""
    if waiter.settle(ABANDONED, None):
        for channel in channels:
            channel._forget(waiter)
        return
    source, item = waiter.outcome
    # Who served it may have noticed that it is gone, and have put the item back.
    if isinstance(source, Channel) and waiter.give_back():
        act_after(error, functools.partial(source._put_back, item))
    for channel in channels:
        if channel is not source:  # that one has taken it out of its line
            act_after(error, functools.partial(channel._forget, waiter))
