"""Jobs of process pools: says when each was submitted, when it began and when it ended, by its name."""

import asyncio
import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.synchronize import Event
from typing import Any

said: dict[str, Any] = {}
events: dict[str, Event] = {}
Noted = dict[str, Any]


def napping(name: str) -> Noted:
    begun = time.monotonic()
    time.sleep(0.05)
    return {"name": name, "begun": begun, "ended": time.monotonic(), "pid": os.getpid()}


def busy(name: str) -> Noted:
    begun = time.monotonic()
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        pass
    return {"name": name, "begun": begun, "ended": time.monotonic(), "pid": os.getpid()}


def fails() -> None:
    raise ValueError("no")


def unpackable() -> Callable[[], None]:
    return lambda: None


def square(x: int) -> int:
    return x * x


def keep(*given: Event) -> None:
    events.update(zip(("begun", "go"), given, strict=True))


def held() -> None:
    events["begun"].set()
    events["go"].wait()


def outer() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(inner).result()


def inner() -> None:
    pass


def submitted(pool: ProcessPoolExecutor, function: Callable[[str], Noted], name: str) -> "Future[Noted]":
    said[name] = {"submitted": time.monotonic()}
    return pool.submit(function, name)


def with_two(context: Any) -> None:
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        futures = [submitted(pool, napping, name) for name in ("one", "two", "three", "four")]
        futures.append(submitted(pool, busy, "busy"))
        for future in futures:
            noted = future.result()
            said[noted.pop("name")].update(noted)
        pool.submit(outer).result()
        said["threads"] = [thread.name for thread in threading.enumerate()]


def with_one(context: Any) -> None:
    begun, go = context.Event(), context.Event()
    with ProcessPoolExecutor(1, mp_context=context, initializer=keep, initargs=(begun, go)) as pool:
        pool.submit(held)
        begun.wait()
        failed: list[Future[Any]] = [pool.submit(function) for function in (fails, unpackable, lambda: None)]
        late = [pool.submit(napping, "never") for _ in range(3)]
        cancelled = [future for future in late if future.cancel()]
        said["cancelled"] = len(cancelled)
        go.set()
        said["failed"] = [type(future.exception()).__name__ for future in failed]
        pool.submit(square, 2).result()


async def on_a_loop(context: Any) -> None:
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        loop = asyncio.get_running_loop()
        await asyncio.create_task(asks(loop, pool), name="asks")
        assert list(pool.map(square, range(10), chunksize=5)) == [x * x for x in range(10)]


async def asks(loop: asyncio.AbstractEventLoop, pool: ProcessPoolExecutor) -> None:
    await loop.run_in_executor(pool, napping, "in_executor")


def main() -> None:
    context = multiprocessing.get_context(sys.argv[1])
    with_two(context)
    with_one(context)
    asyncio.run(on_a_loop(context))
    print(json.dumps(said))


if __name__ == "__main__":
    main()
