"""A server of aiohttp: a page that waits, one that computes, and one whose work a thread does. It ends by SIGTERM."""

import asyncio
import hashlib
import time
from typing import Any

from aiohttp import web


async def waits(request: Any) -> Any:
    await asyncio.sleep(0.005)
    return web.Response(text="waited")


async def computes(request: Any) -> Any:
    return web.Response(text=hashlib.sha256(b"x" * 10_000).hexdigest())


async def in_thread(request: Any) -> Any:
    await asyncio.to_thread(time.sleep, 0.002)
    return web.Response(text="slept")


def say_where() -> None:
    for site in runner.sites:
        address = site._server.sockets[0].getsockname()
        print(f"listening at http://127.0.0.1:{address[1]}", flush=True)


async def main() -> None:
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    say_where()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(15, stop.set)
    await stop.wait()
    await runner.cleanup()


app = web.Application()
app.add_routes([web.get("/waits", waits), web.get("/computes", computes), web.get("/thread", in_thread)])
runner = web.AppRunner(app)

if __name__ == "__main__":
    asyncio.run(main())
