"""A connection is opened and shakes hands within a timeout, and nobody closes it if the timeout comes between.

The handshake ends at the moment of the timeout. If the timeout is first, the connection has been opened and is not
returned to anyone.
"""

import asyncio

KIND = "failure"
LEVEL = "sync"
SOURCE = (
    "ours; a timeout may come at every await: https://docs.python.org/3/library/asyncio-task.html#timeouts"
)


class Server:
    def __init__(self) -> None:
        self.open = 0

    async def connect(self) -> None:
        self.open += 1
        await asyncio.sleep(0.001)

    def disconnect(self) -> None:
        self.open -= 1


async def scenario() -> None:
    server = Server()
    try:
        async with asyncio.timeout(0.001):
            await server.connect()
        server.disconnect()
    except TimeoutError:
        pass
    assert server.open == 0
