"""What a channel promises to asyncio tasks alone: their loops, their timeouts, their cancellation."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import headway
from headway.errors import UsageError, WouldBlock
from headway.run.channel import Channel
from headway.run.limit import Limit
from headway.run.selection import receive_any, receive_any_async
from hubs import with_a_hub


def test_a_call_that_would_block_the_event_loop_is_refused() -> None:
    async def main() -> None:
        channel: Channel[int] = Channel(1)
        channel.send(1)  # need not wait
        with pytest.raises(UsageError, match="send_async"):
            channel.send(2)
        assert channel.receive() == 1
        with pytest.raises(UsageError, match="receive_async"):
            channel.receive()
        with pytest.raises(UsageError, match="receive_any_async"):
            receive_any(channel)
        assert not channel._receivers
        assert not channel._senders

    asyncio.run(main())


@pytest.mark.parametrize("called_by", ["a coroutine", "a callback"])
def test_it_is_refused_too_where_the_thread_has_used_gevent_before(called_by: str) -> None:
    async def main() -> None:
        channel, limit, refused = Channel[int](), Limit(1), asyncio.Event()
        limit.acquire()

        def call() -> None:
            for wait in (
                lambda: channel.send(1),
                channel.receive,
                lambda: receive_any(channel),
                limit.acquire,
            ):
                with pytest.raises(UsageError, match="would block the event loop"):
                    wait()
            with pytest.raises(UsageError, match="async with"), headway.scope():
                pass
            refused.set()

        if called_by == "a coroutine":
            call()
        else:
            asyncio.get_running_loop().call_soon(call)
            await asyncio.wait_for(refused.wait(), 30)
        assert not channel._receivers
        assert not channel._senders

    with_a_hub(lambda: asyncio.run(main()))


def test_a_greenlet_may_wait_while_another_runs_an_event_loop() -> None:
    async def main() -> None:
        import gevent

        channel: Channel[int] = Channel()
        receiver = gevent.spawn(channel.receive)
        gevent.sleep(0)
        assert len(channel._receivers) == 1
        await channel.send_async(1)
        assert receiver.get() == 1

    with_a_hub(lambda: asyncio.run(main()))


@contextmanager
def quiet_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that is closed with tasks that wait, of which asyncio complains later."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)
    yield loop
    loop.close()


def test_an_item_for_a_task_whose_loop_is_closed_goes_to_the_next_receiver() -> None:
    channel: Channel[int] = Channel()
    with quiet_loop() as loop:
        task = loop.create_task(channel.receive_async())
        loop.run_until_complete(asyncio.sleep(0))
    received: list[int] = []
    thread = threading.Thread(target=lambda: received.append(channel.receive()))
    thread.start()
    while len(channel._receivers) < 2:
        threading.Event().wait(0.001)
    channel.send(1)
    thread.join()
    assert received == [1]
    del task
    gc.collect()  # closes the coroutine, which has been served, but must not give the item back again
    assert len(channel) == channel._in_flight == 0


def test_an_item_for_a_task_that_is_never_woken_comes_back() -> None:
    channel: Channel[int] = Channel()
    with quiet_loop() as loop:
        task = loop.create_task(channel.receive_async())
        loop.run_until_complete(asyncio.sleep(0))
        channel.send(1)  # the loop has been told, but does not run any more
        assert channel._in_flight == 1
    del task
    gc.collect()
    assert channel.receive(timeout_s=30) == 1
    assert channel._in_flight == 0


def test_asyncios_own_timeouts_lose_no_item() -> None:
    async def main() -> None:
        for _ in range(50):
            channel: Channel[int] = Channel()

            async def receive(channel: Channel[int] = channel) -> int | None:
                try:
                    async with asyncio.timeout(0):
                        return await channel.receive_async()
                except TimeoutError:
                    return None

            receiver = asyncio.create_task(receive())
            await asyncio.sleep(0)
            try:
                channel.send_nowait(1)
                sent = 1
            except WouldBlock:
                sent = 0
            assert (await receiver is not None) + len(channel) == sent

    asyncio.run(main())


def test_receive_any_async_is_cancelled_without_loss() -> None:
    async def main() -> None:
        channels: list[Channel[int]] = [Channel(), Channel()]
        receiver = asyncio.create_task(receive_any_async(*channels))
        await asyncio.sleep(0)
        channels[1].send_nowait(5)
        receiver.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiver
        assert channels[1].receive_nowait() == 5
        assert not channels[0]._receivers

    asyncio.run(main())


def test_an_item_that_comes_back_is_the_next_one() -> None:
    async def main() -> None:
        channel: Channel[int] = Channel(2)
        receiver = asyncio.create_task(channel.receive_async())
        await asyncio.sleep(0)
        for item in (1, 2):
            channel.send_nowait(item)  # the first one is the receiver's, which has not run yet
        receiver.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiver
        assert [channel.receive_nowait(), channel.receive_nowait()] == [1, 2]

    asyncio.run(main())
