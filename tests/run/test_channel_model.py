"""A channel against a model of it, and what no order of events may change."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headway.errors import ChannelClosed, WouldBlock
from headway.run.channel import Channel
from headway.run.selection import receive_any_async

# How long a program takes is no part of any promise here.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
Operation = tuple[Literal["send", "receive", "send_nowait", "receive_nowait", "cancel", "close", "turn"], int]
Answer = object

operations = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["send", "receive"]), st.integers(0, 1)),
        st.tuples(st.sampled_from(["send", "receive"]), st.integers(0, 1)),
        st.tuples(st.sampled_from(["send_nowait", "receive_nowait"]), st.integers(0, 1)),
        st.tuples(st.just("cancel"), st.integers(0, 7)),
        st.tuples(st.just("turn"), st.just(0)),
        st.tuples(st.just("close"), st.integers(0, 9)),
    ),
    max_size=40,
)
capacities = st.one_of(st.integers(0, 3), st.none())


class Model:
    """A channel, as one would describe it: three lines."""

    def __init__(self, capacity: int | None) -> None:
        self.capacity = float("inf") if capacity is None else capacity
        self.items: deque[int] = deque()
        self.senders: deque[tuple[int, int]] = deque()
        self.receivers: deque[int] = deque()
        self.closed = False
        self.answers: dict[int, Answer] = {}
        """What each unit has got, by its number; waiting units have none."""

    def send(self, unit: int, item: int, wait: bool) -> None:
        if self.closed:
            self.answers[unit] = ChannelClosed
        elif self.receivers:
            self.answers[self.receivers.popleft()] = item
            self.answers[unit] = None
        elif len(self.items) < self.capacity:
            self.items.append(item)
            self.answers[unit] = None
        elif wait:
            self.senders.append((unit, item))
        else:
            self.answers[unit] = WouldBlock

    def receive(self, unit: int, wait: bool) -> None:
        if self.senders:
            sender, item = self.senders.popleft()
            self.items.append(item)
            self.answers[sender] = None
        if self.items:
            self.answers[unit] = self.items.popleft()
        elif self.closed:
            self.answers[unit] = ChannelClosed
        elif wait:
            self.receivers.append(unit)
        else:
            self.answers[unit] = WouldBlock

    def cancel(self, unit: int) -> None:
        if unit not in self.answers:
            self.answers[unit] = asyncio.CancelledError
            self.senders = deque(sender for sender in self.senders if sender[0] != unit)
            self.receivers = deque(receiver for receiver in self.receivers if receiver != unit)

    def close(self) -> None:
        self.closed = True
        for unit in [*(unit for unit, _ in self.senders), *self.receivers]:
            self.answers[unit] = ChannelClosed
        self.senders.clear()
        self.receivers.clear()


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


def answer(unit: asyncio.Future[Any]) -> Answer:
    if unit.cancelled():
        return asyncio.CancelledError
    error = unit.exception()
    return type(error) if error is not None else unit.result()


def nowait(call: Any, *args: Any) -> asyncio.Future[Any]:
    done = asyncio.get_running_loop().create_future()
    try:
        done.set_result(call(*args))
    except (WouldBlock, ChannelClosed) as error:
        done.set_exception(error)
    return done


@settings(untimed, max_examples=200)
@given(operations, capacities)
def test_a_channel_does_what_its_model_does(steps: list[Operation], capacity: int | None) -> None:
    async def main() -> None:
        channel: Channel[int] = Channel(capacity)
        model = Model(capacity)
        units: list[asyncio.Future[Any]] = []
        for item, (name, number) in enumerate(steps):
            unit = len(units)
            match name:
                case "send":
                    units.append(asyncio.ensure_future(channel.send_async(item)))
                    model.send(unit, item, wait=True)
                case "receive":
                    # The choice among several channels must do for one what `receive` does.
                    receiving = receive_any_async(channel) if number else channel.receive_async()
                    units.append(asyncio.ensure_future(receiving))
                    model.receive(unit, wait=True)
                case "send_nowait":
                    units.append(nowait(channel.send_nowait, item))
                    model.send(unit, item, wait=False)
                case "receive_nowait":
                    units.append(nowait(channel.receive_nowait))
                    model.receive(unit, wait=False)
                case "cancel" if units:
                    units[-1 - number % len(units)].cancel()
                    model.cancel(len(units) - 1 - number % len(units))
                case "close" if number == 0:
                    channel.close()
                    model.close()
            await settle()
            got = {n: answer(unit) for n, unit in enumerate(units) if unit.done()}
            assert {n: a[1] if isinstance(a, tuple) else a for n, a in got.items()} == model.answers
            assert len(channel) == len(model.items)
        for waiting in units:
            waiting.cancel()
        await asyncio.gather(*units, return_exceptions=True)

    asyncio.run(main())


@settings(untimed, max_examples=300)
@given(operations, capacities, capacities)
def test_no_item_is_lost_or_doubled_whatever_is_cancelled_when(
    steps: list[Operation], first: int | None, second: int | None
) -> None:
    async def main() -> None:
        channels: list[Channel[int]] = [Channel(first), Channel(second)]
        senders: dict[int, asyncio.Future[Any]] = {}
        receivers: list[asyncio.Future[Any]] = []
        for item, (name, number) in enumerate(steps):
            everyone = [*senders.values(), *receivers]
            match name:
                case "send":
                    senders[item] = asyncio.ensure_future(channels[number].send_async(item))
                case "receive" if number == 0:
                    receivers.append(asyncio.ensure_future(receive_any_async(*channels)))
                case "receive":
                    receivers.append(asyncio.ensure_future(channels[0].receive_async()))
                case "send_nowait":
                    senders[item] = nowait(channels[number].send_nowait, item)
                case "receive_nowait":
                    receivers.append(nowait(channels[number].receive_nowait))
                case "cancel" if everyone:
                    everyone[-1 - number % len(everyone)].cancel()
                case "close" if number < 2:
                    channels[number].close()
                case "turn":
                    await asyncio.sleep(0)
        for unit in [*senders.values(), *receivers]:
            unit.cancel()
        await asyncio.gather(*senders.values(), *receivers, return_exceptions=True)
        received: Counter[int] = Counter()
        for receiver in receivers:
            got = answer(receiver)
            if isinstance(got, tuple):
                got = got[1]
            if isinstance(got, int):
                received[got] += 1
        for channel in channels:
            assert not channel._in_flight
            assert not channel._receivers
            assert not channel._senders
            while len(channel):
                received[channel.receive_nowait()] += 1
        for item, sender in senders.items():
            sent = answer(sender)
            if sent is None:
                assert received[item] == 1
            elif sent is asyncio.CancelledError:
                assert received[item] <= 1
            else:
                assert received[item] == 0
        assert set(received) <= set(senders)

    asyncio.run(main())
