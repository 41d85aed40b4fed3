"""What is real is refused at once, with the line, whatever the program does with the exception."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import headway


async def connection() -> None:
    await asyncio.open_connection("localhost", 1)


async def server() -> None:
    await asyncio.start_server(lambda reader, writer: None, "localhost", 0)


async def process() -> None:
    await asyncio.create_subprocess_exec("true")


async def handler() -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: None)


async def reader() -> None:
    left, right = socket.socketpair()
    with left, right:
        asyncio.get_running_loop().add_reader(left, lambda: None)


async def name() -> None:
    await asyncio.get_running_loop().getaddrinfo("localhost", 1)


@pytest.mark.parametrize("scenario", [connection, server, process, handler, reader, name])
def test_what_is_real_is_refused(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def swallows() -> None:
        with contextlib.suppress(Exception):
            await scenario()

    with pytest.raises(headway.CannotControl, match=r"test_refusing\.py:\d+: loop\.\w+ is not under control"):
        headway.explore(swallows)


def test_a_loop_that_is_not_ours_is_refused() -> None:
    class Own(asyncio.SelectorEventLoop):
        pass

    def scenario() -> None:
        loop = Own()
        sleeping = asyncio.sleep(0)
        try:
            loop.run_until_complete(sleeping)
        finally:
            sleeping.close()  # Python complains of one that was never awaited
            loop.close()

    with pytest.raises(headway.CannotControl, match=r"test_refusing\.py:\d+"):
        headway.explore(scenario)
