"""Tasks that only seem to hang: `task_lookalikes.py WHAT SECONDS [uvloop]`. After so long they go on, and it ends."""

import asyncio
import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

LONG_S = float(sys.argv[2])


def later(act: Callable[[], object]) -> None:
    """In a thread, after a while."""

    def run() -> None:
        time.sleep(LONG_S)
        act()

    threading.Thread(target=run, daemon=True).start()


def circle_with_a_time_limit() -> None:
    async def main() -> None:
        one, two = asyncio.Lock(), asyncio.Lock()
        both = asyncio.Barrier(2)

        async def ahead() -> None:
            async with one:
                await both.wait()
                async with two:
                    pass

        async def back() -> None:
            async with two:
                await both.wait()
                with contextlib.suppress(asyncio.TimeoutError):
                    async with asyncio.timeout(LONG_S):
                        await one.acquire()

        await asyncio.gather(ahead(), back())

    asyncio.run(main())


def lock_that_a_timer_releases() -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        asyncio.get_running_loop().call_later(LONG_S, lock.release)
        async with lock:
            pass

    asyncio.run(main())


def lock_that_a_thread_releases() -> None:
    async def main() -> None:
        lock, loop = asyncio.Lock(), asyncio.get_running_loop()
        await lock.acquire()
        later(lambda: loop.call_soon_threadsafe(lock.release))
        async with lock:
            pass

    asyncio.run(main())


def lock_whose_holder_reads() -> None:
    async def main() -> None:
        here, there = socket.socketpair()
        here.setblocking(False)
        lock = asyncio.Lock()

        async def reads() -> None:
            async with lock:
                await asyncio.get_running_loop().sock_recv(here, 1)

        async def waits() -> None:
            async with lock:
                pass

        code = f"import os, time; time.sleep({LONG_S}); os.write({there.fileno()}, b'x')"
        with subprocess.Popen([sys.executable, "-c", code], pass_fds=[there.fileno()]):
            await asyncio.gather(reads(), waits())

    asyncio.run(main())


def lock_whose_holder_waits_for_a_process() -> None:
    async def main() -> None:
        lock = asyncio.Lock()

        async def runs() -> None:
            async with lock:
                process = await asyncio.create_subprocess_exec("sleep", str(LONG_S))
                await process.wait()

        async def waits() -> None:
            async with lock:
                pass

        await asyncio.gather(runs(), waits())

    asyncio.run(main())


def lock_that_a_signal_releases() -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lock.release)
        with subprocess.Popen(["/bin/sh", "-c", f"sleep {LONG_S}; kill -USR1 {os.getpid()}"]):
            async with lock:
                pass

    asyncio.run(main())


def lock_of_two_loops() -> None:
    """One loop stands still; the other one works, and will wake it."""

    async def main() -> None:
        lock, loop = asyncio.Lock(), asyncio.get_running_loop()
        await lock.acquire()

        async def release() -> None:
            await asyncio.sleep(LONG_S)
            loop.call_soon_threadsafe(lock.release)

        threading.Thread(target=lambda: asyncio.run(release())).start()
        async with lock:
            pass

    asyncio.run(main())


def lock_that_a_thread_releases_that_looks_at_a_socket() -> None:
    """It waits as an event loop would that has nothing to look at but what its own process sends it."""

    async def main() -> None:
        lock, loop = asyncio.Lock(), asyncio.get_running_loop()
        await lock.acquire()
        here, there = socket.socketpair()

        def looks() -> None:
            with selectors.EpollSelector() as selector:
                selector.register(here, selectors.EVENT_READ)
                selector.select()
            loop.call_soon_threadsafe(lock.release)

        threading.Thread(target=looks).start()
        code = f"import os, time; time.sleep({LONG_S}); os.write({there.fileno()}, b'x')"
        with subprocess.Popen([sys.executable, "-c", code], pass_fds=[there.fileno()]):
            async with lock:
                pass

    asyncio.run(main())


def lock_that_another_loop_releases_that_reads() -> None:
    async def main() -> None:
        lock, loop = asyncio.Lock(), asyncio.get_running_loop()
        await lock.acquire()
        here, there = socket.socketpair()
        here.setblocking(False)

        async def reads() -> None:
            await asyncio.get_running_loop().sock_recv(here, 1)
            loop.call_soon_threadsafe(lock.release)

        threading.Thread(target=lambda: asyncio.run(reads())).start()
        code = f"import os, time; time.sleep({LONG_S}); os.write({there.fileno()}, b'x')"
        with subprocess.Popen([sys.executable, "-c", code], pass_fds=[there.fileno()]):
            async with lock:
                pass

    asyncio.run(main())


def server_without_clients() -> None:
    async def main() -> None:
        queue: asyncio.Queue[bytes] = asyncio.Queue()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await queue.put(await reader.read())
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        code = f"import time, socket; time.sleep({LONG_S}); socket.create_connection({address})"
        with subprocess.Popen([sys.executable, "-c", code]):
            await queue.get()
        server.close()

    asyncio.run(main())


if sys.argv[3:] == ["uvloop"]:
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
print("started", flush=True)
globals()[sys.argv[1]]()
print("done")
