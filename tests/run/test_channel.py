"""What a channel promises, whatever kind of unit uses it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import headway
from headway.errors import ChannelClosed, TimedOut, UsageError, WouldBlock
from headway.run.channel import NOTHING, Channel
from headway.run.parking.thread import ThreadWaiter
from headway.run.selection import receive_any

if TYPE_CHECKING:
    from .conftest import Kind


async def send_all(u: Kind, channel: Channel[Any], items: list[Any]) -> None:
    for item in items:
        await u.send(channel, item)


async def receive_count(u: Kind, channel: Channel[Any], count: int) -> list[Any]:
    return [await u.receive(channel) for _ in range(count)]


async def receive_one(u: Kind, channel: Channel[Any], timeout_s: float | None = None) -> Any:
    return await u.receive(channel, timeout_s)


async def receive_any_one(u: Kind, *channels: Channel[Any]) -> tuple[int, Any]:
    return await u.receive_any(*channels)


async def collect(u: Kind, channel: Channel[Any]) -> list[Any]:
    return await u.collect(channel)


@pytest.mark.parametrize("capacity", [0, 1, 3, None])
def test_items_arrive_in_the_order_in_which_they_were_sent(kind: Kind, capacity: int | None) -> None:
    async def main(u: Kind) -> None:
        channel: Channel[int] = Channel(capacity)
        sender = u.start(send_all, channel, list(range(50)))
        receiver = u.start(receive_count, channel, 50)
        assert (await u.join(sender, receiver))[1] == list(range(50))

    kind.main(main)


def test_a_rendezvous_waits_for_its_receiver(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        channel: Channel[int] = Channel()
        sender = u.start(send_all, channel, [1])
        await u.in_line(channel._senders, 1)
        assert not sender.over()
        assert len(channel) == 0
        assert channel.receive_nowait() == 1
        await u.join(sender)

    kind.main(main)


def test_a_full_channel_waits_for_room(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        channel: Channel[int] = Channel(2)
        sender = u.start(send_all, channel, [1, 2, 3])
        await u.in_line(channel._senders, 1)
        assert len(channel) == 2
        with pytest.raises(WouldBlock):
            channel.send_nowait(4)
        assert [channel.receive_nowait() for _ in range(3)] == [1, 2, 3]
        await u.join(sender)
        with pytest.raises(WouldBlock):
            channel.receive_nowait()

    kind.main(main)


def test_receivers_are_served_in_the_order_in_which_they_came(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        channel: Channel[int] = Channel()
        receivers = []
        for count in range(6):
            receivers.append(u.start(receive_one, channel))
            await u.in_line(channel._receivers, count + 1)
        for item in range(6):
            channel.send_nowait(item)
        assert await u.join(*receivers) == list(range(6))

    kind.main(main)


def test_senders_are_served_in_the_order_in_which_they_came(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        channel: Channel[int] = Channel()
        senders = []
        for item in range(6):
            senders.append(u.start(send_all, channel, [item]))
            await u.in_line(channel._senders, item + 1)
        assert [channel.receive_nowait() for _ in range(6)] == list(range(6))
        await u.join(*senders)

    kind.main(main)


def test_a_closed_channel_gives_its_items_before_it_raises(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        channel: Channel[int] = Channel(5)
        await send_all(u, channel, [1, 2])
        channel.close()
        channel.close()
        assert channel.closed
        assert await receive_count(u, channel, 2) == [1, 2]
        with pytest.raises(ChannelClosed):
            await u.receive(channel)
        with pytest.raises(ChannelClosed):
            await u.send(channel, 3)

    kind.main(main)


def test_closing_ends_every_wait(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        empty: Channel[int] = Channel()
        full: Channel[int] = Channel()
        receivers = [u.start(receive_one, empty) for _ in range(4)]
        senders = [u.start(send_all, full, [1]) for _ in range(4)]
        await u.in_line(empty._receivers, 4)
        await u.in_line(full._senders, 4)
        empty.close()
        full.close()
        for unit in [*receivers, *senders]:
            with pytest.raises(ChannelClosed):
                await u.join(unit)
        assert len(full) == 0

    kind.main(main)


def test_loops_end_when_the_channel_does(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        channel: Channel[int] = Channel(2)
        collectors = [u.start(collect, channel) for _ in range(3)]
        with channel:
            await send_all(u, channel, list(range(30)))
        received = await u.join(*collectors)
        assert sorted(item for part in received for item in part) == list(range(30))
        assert all(part == sorted(part) for part in received)

    kind.main(main)


def test_a_timeout_takes_nothing_and_leaves_nothing(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        channel: Channel[int] = Channel()
        for timeout_s in (0, 0.01):
            with pytest.raises(TimedOut):
                await u.receive(channel, timeout_s)
            with pytest.raises(TimedOut):
                await u.send(channel, 1, timeout_s)
            with pytest.raises(TimedOut):
                await u.receive_any(channel, channel, timeout_s=timeout_s)
        assert not channel._receivers
        assert not channel._senders
        with pytest.raises(WouldBlock):
            channel.receive_nowait()

    kind.main(main)


def test_a_cancelled_receiver_loses_no_item(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        for _ in range(30):
            channel: Channel[int] = Channel()
            receivers = [u.start(receive_one, channel) for _ in range(3)]
            await u.in_line(channel._receivers, 3)
            channel.send_nowait(1)
            for unit in receivers:
                unit.cancel()  # one has the item already, and may or may not have run
            for unit in receivers:
                await u.until(unit.over)
            received = [unit.result for unit in receivers if unit.error is None]
            assert received + ([channel.receive_nowait()] if len(channel) else []) == [1]
            assert all(unit.error is None or isinstance(unit.error, u.cancelled) for unit in receivers)
            assert not channel._in_flight

    kind.main(main)


def test_an_item_whose_receiver_was_cancelled_goes_to_the_next_even_after_close(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        for _ in range(30):
            channel: Channel[int] = Channel()
            first = u.start(receive_one, channel)
            await u.in_line(channel._receivers, 1)
            second = u.start(collect, channel)
            await u.in_line(channel._receivers, 2)
            channel.send_nowait(1)
            channel.close()
            first.cancel()
            await u.until(first.over)
            await u.until(second.over)
            assert ([first.result] if first.error is None else []) + second.result == [1]

    kind.main(main)


def test_a_cancelled_sender_has_not_sent(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        channel: Channel[int] = Channel()
        sender = u.start(send_all, channel, [1])
        await u.in_line(channel._senders, 1)
        sender.cancel()
        await u.until(sender.over)
        assert isinstance(sender.error, u.cancelled)
        with pytest.raises(WouldBlock):
            channel.receive_nowait()
        assert not channel._senders

    kind.main(main)


def test_receive_any_takes_one_item_from_one_channel(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        channels: list[Channel[str]] = [Channel() for _ in range(3)]
        receiver = u.start(receive_any_one, *channels)
        await u.until(lambda: all(len(channel._receivers) == 1 for channel in channels))
        channels[1].send_nowait("b")
        assert await u.join(receiver) == [(1, "b")]
        assert not any(channel._receivers for channel in channels)
        for channel in channels:
            with pytest.raises(WouldBlock):
                channel.send_nowait("c")

    kind.main(main)


def test_receive_any_skips_closed_channels_until_all_are(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        first: Channel[int] = Channel()
        second: Channel[int] = Channel(1)
        receiver = u.start(receive_any_one, first, second)
        await u.until(lambda: first._receivers and second._receivers)
        first.close()
        await u.send(second, 7)
        assert await u.join(receiver) == [(1, 7)]
        second.close()
        with pytest.raises(ChannelClosed):
            await u.receive_any(first, second)

    kind.main(main)


def test_receive_any_starves_no_channel() -> None:
    channels: list[Channel[int]] = [Channel(None) for _ in range(3)]
    for channel in channels:
        for item in range(200):
            channel.send(item)
    chosen = {receive_any(*channels)[0] for _ in range(100)}
    assert chosen == {0, 1, 2}


def test_every_item_of_many_senders_reaches_one_of_many_receivers(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        for capacity in (0, 1, 10):
            channel: Channel[tuple[int, int]] = Channel(capacity)
            collectors = [u.start(collect, channel) for _ in range(4)]
            senders = [u.start(send_all, channel, [(n, i) for i in range(40)]) for n in range(4)]
            await u.join(*senders)
            channel.close()
            received = await u.join(*collectors)
            assert sorted(item for part in received for item in part) == [
                (n, i) for n in range(4) for i in range(40)
            ]
            for part in received:
                for n in range(4):
                    own = [item for item in part if item[0] == n]
                    assert own == sorted(own)

    kind.main(main)


@pytest.mark.parametrize("capacity", [-1, 1.5, "3"])
def test_a_capacity_that_is_none_is_refused(capacity: Any) -> None:
    with pytest.raises(UsageError, match="capacity"):
        Channel(capacity)


def test_receive_any_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        receive_any()


@pytest.mark.parametrize("name", ["receive_any", "receive_any_async"])
def test_receive_any_of_a_list_is_refused_with_the_right_call(name: str) -> None:
    async def main() -> None:
        outcome: Any = getattr(headway, name)([Channel()])
        await outcome

    with pytest.raises(UsageError, match="not a channel") as caught:
        asyncio.run(main())
    assert caught.value.hint == f"headway.{name}(*channels)"


def test_an_empty_channel_is_true() -> None:
    assert Channel()
    assert len(Channel()) == 0
    assert Channel().capacity == 0
    assert Channel(None).capacity is None


def test_a_receiver_that_another_channel_serves_meanwhile_takes_no_second_item() -> None:
    channel: Channel[int] = Channel(1)
    channel.send(1)
    waiter = ThreadWaiter()
    assert waiter.settle("another channel", 0)
    assert channel._take(waiter) is NOTHING
    assert channel.receive_nowait() == 1
