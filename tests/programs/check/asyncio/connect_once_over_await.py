"""A client connects at its first request, and two requests are the first.

Both find no connection; both connect; the first one's is left open and forgotten.
"""

import asyncio

KIND = "failure"
LEVEL = "sync"
SOURCE = "ours; check-then-act over an await"


class Client:
    def __init__(self) -> None:
        self.connection: int | None = None
        self.connected = 0

    async def connect(self) -> int:
        await asyncio.sleep(0)
        self.connected += 1
        return self.connected

    async def request(self) -> int:
        if self.connection is None:
            self.connection = await self.connect()
        return self.connection


async def scenario() -> None:
    client = Client()
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(client.request())
    assert client.connected == 1
