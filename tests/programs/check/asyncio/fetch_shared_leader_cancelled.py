"""The first who asks for a page fetches it, and others who ask meanwhile wait for what it gets.

The first is cancelled while it fetches; nobody will ever set the future, and the second waits for ever. If the page has
come before, all is well.
"""

import asyncio

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "ours; single flight as in golang.org/x/sync/singleflight, without its care for the leader's end"


class Pages:
    def __init__(self) -> None:
        self.coming: dict[str, asyncio.Future[str]] = {}
        self.fetching = asyncio.Event()

    async def fetch(self, name: str) -> str:
        self.fetching.set()
        await asyncio.sleep(0)
        return name.upper()

    async def get(self, name: str) -> str:
        if name in self.coming:
            return await self.coming[name]
        coming = self.coming[name] = asyncio.get_running_loop().create_future()
        page = await self.fetch(name)
        coming.set_result(page)
        return page


async def scenario() -> None:
    pages = Pages()

    async def cancel(task: asyncio.Task[str]) -> None:
        task.cancel()

    leader = asyncio.create_task(pages.get("home"))
    await pages.fetching.wait()
    follower = asyncio.create_task(pages.get("home"))
    canceller = asyncio.create_task(cancel(leader))
    await asyncio.wait([leader, follower, canceller])
    assert follower.result() == "HOME"
