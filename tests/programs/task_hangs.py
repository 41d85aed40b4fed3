"""Hangs: `task_hangs.py WHAT [uvloop]`. Tasks of asyncio that wait for each other, or for nobody."""

import asyncio
import sys
import threading


def abba() -> None:
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
                await one.acquire()

        await asyncio.gather(ahead(), back())

    asyncio.run(main())


def circle_of_awaits() -> None:
    async def main() -> None:
        tasks: list[asyncio.Task[None]] = []

        async def wait_for(number: int) -> None:
            await asyncio.sleep(0)
            await tasks[number % 3]

        tasks.extend(asyncio.create_task(wait_for(number), name=f"t{number - 1}") for number in (1, 2, 3))
        await tasks[0]

    asyncio.run(main())


def lock_and_await() -> None:
    async def main() -> None:
        lock = asyncio.Lock()

        async def works() -> None:
            async with lock:
                pass

        async with lock:
            await asyncio.create_task(works(), name="works")

    asyncio.run(main())


def queue_that_nobody_fills() -> None:
    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        await asyncio.gather(*(asyncio.create_task(queue.get(), name=f"reader {n}") for n in range(3)))

    asyncio.run(main())


def own_lock() -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        async with lock:
            await lock.acquire()

    asyncio.run(main())


def beside_an_idle_pool() -> None:
    async def main() -> None:
        await asyncio.to_thread(int)
        semaphore = asyncio.Semaphore(0)
        await semaphore.acquire()

    asyncio.run(main())


def job_that_waits_for_a_task() -> None:
    async def main() -> None:
        lock = threading.Lock()

        def job() -> None:
            with lock:
                pass

        with lock:
            await asyncio.to_thread(job)

    asyncio.run(main())


if __name__ == "__main__":
    if sys.argv[2:] == ["uvloop"]:
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    print("started", flush=True)
    globals()[sys.argv[1]]()
