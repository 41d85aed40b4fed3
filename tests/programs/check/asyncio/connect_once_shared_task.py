"""The first request starts one task that connects, and all requests await that task, shielded.

The task is stored in the same step in which it was looked for, and a request that is cancelled leaves it running.
"""

import asyncio

KIND = "ok"
LEVEL = "sync"
SOURCE = "connect_once_over_await and fetch_shared_leader_cancelled, mended"


class Client:
    def __init__(self) -> None:
        self.connecting: asyncio.Task[int] | None = None
        self.connected = 0

    async def connect(self) -> int:
        await asyncio.sleep(0)
        self.connected += 1
        return self.connected

    async def request(self) -> int:
        if self.connecting is None:
            self.connecting = asyncio.create_task(self.connect())
        return await asyncio.shield(self.connecting)


async def scenario() -> None:
    client = Client()
    requests = [asyncio.create_task(client.request()) for _ in range(3)]
    await asyncio.sleep(0)
    requests[0].cancel()
    await asyncio.wait(requests)
    assert await client.request() == 1
    assert client.connected == 1
