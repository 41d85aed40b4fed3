"""Receive from whichever of several channels has an item first."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar, cast

from headway.errors import Cancelled, ChannelClosed, TimedOut, UsageError
from headway.run.cancellation import CANCELLED
from headway.run.channel import CLOSED, NOTHING, Channel, abandon
from headway.run.parking import TIMED_OUT, Waiter, blocking_waiter, park, task_waiter
from headway.run.timeout import Timeout

__all__ = ["receive_any", "receive_any_async"]

T = TypeVar("T")


def receive_any(*channels: Channel[T], timeout_s: float | None = None) -> tuple[int, T]:
    """Wait until one of several channels has an item, and take it; from the others, none.

    If several have one, the choice is random, so that none starves (as Go's `select`).

    Args:
        channels: At least one. Closed and empty channels are skipped.
        timeout_s: Seconds on the monotonic clock; None is for ever; 0 only looks.

    Returns:
        Index into `channels`, and the item.

    Raises:
        TimedOut: Nothing came in time; no item is lost.
        ChannelClosed: All channels are closed and empty.
        UsageError: It would have to wait on the thread of a running event loop; or there is no channel,
            or something else than a channel.

    Runs on: threads, asyncio, greenlets; not across processes.
    Cost: O(len(channels)).
    """
    _check(channels, "receive_any")
    timeout = Timeout(timeout_s)
    while True:
        found = _take(channels, None)
        if found is None:
            waiter = blocking_waiter("receive_any", "await headway.receive_any_async(*channels)")
            try:
                found = _take(channels, waiter)
                if found is None:
                    park(waiter, timeout.left_s())
            except BaseException as error:
                abandon(waiter, channels, error)
                raise
            found = found or _received(channels, waiter, timeout_s)
        if found is not None:
            return found


async def receive_any_async(*channels: Channel[T], timeout_s: float | None = None) -> tuple[int, T]:
    """As `receive_any`, for asyncio. If it is cancelled, no item is lost."""
    _check(channels, "receive_any_async")
    timeout = Timeout(timeout_s)
    while True:
        found = _take(channels, None)
        if found is None:
            waiter = task_waiter()
            try:
                found = _take(channels, waiter)
                if found is None:
                    await waiter.park(timeout.left_s())
            except BaseException as error:
                abandon(waiter, channels, error)
                raise
            found = found or _received(channels, waiter, timeout_s)
        if found is not None:
            return found


def _check(channels: Sequence[object], name: str) -> None:
    if not channels:
        raise UsageError(f"{name} was given no channel", hint=f"headway.{name}(a, b)")
    for channel in channels:
        if not isinstance(channel, Channel):
            raise UsageError(
                f"{name} was given {channel!r}, which is not a channel", hint=f"headway.{name}(*channels)"
            )


def _take(channels: Sequence[Channel[T]], waiter: Waiter | None) -> tuple[int, T] | None:
    """Take an item if there is one; if not, let the waiter stand in the lines of all channels that are open."""
    closed = 0
    for index in random.sample(range(len(channels)), len(channels)):
        try:
            item = channels[index]._take(waiter)
        except ChannelClosed:
            closed += 1
            continue
        if item is not NOTHING:
            if waiter is not None:
                _leave(channels, waiter)
            return index, cast(T, item)
    if closed == len(channels):
        raise ChannelClosed("all channels are closed, and all their items have been received")
    return None


def _received(
    channels: Sequence[Channel[T]], waiter: Waiter, timeout_s: float | None
) -> tuple[int, T] | None:
    """Say what came of a wait; None if only a channel was closed."""
    source, value = waiter.outcome
    _leave(channels, waiter)
    if source is TIMED_OUT:
        raise TimedOut(
            f"nothing came through any of {len(channels)} channels within {timeout_s} s: no item is lost"
        )
    if source is CANCELLED:
        raise Cancelled("the scope was cancelled while this waited to receive: no item is lost")
    if source is CLOSED:
        return None
    for index, channel in enumerate(channels):
        if channel is source:
            channel._landed()
            return index, cast(T, value)
    raise AssertionError(f"a waiter was settled by {source!r}")


def _leave(channels: Sequence[Channel[T]], waiter: Waiter) -> None:
    for channel in channels:
        channel._forget(waiter)
