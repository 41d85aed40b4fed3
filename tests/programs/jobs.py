"""Jobs of thread pools: says when each was submitted, when it began and when it ended, by its name."""

import asyncio
import functools
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

said: dict[str, Any] = {}


def note(name: str, what: str) -> None:
    said.setdefault(name, {})[what] = time.monotonic()


def napping(name: str) -> str:
    note(name, "begun")
    time.sleep(0.05)
    note(name, "ended")
    return threading.current_thread().name


def busy(name: str) -> None:
    note(name, "begun")
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        pass
    note(name, "ended")


def fails() -> None:
    raise ValueError("no")


def held(begun: threading.Event, go: threading.Event) -> None:
    begun.set()
    go.wait()


class Method:
    def call(self) -> None:
        pass

    def __call__(self) -> None:
        pass


def submitted(pool: ThreadPoolExecutor, function: Callable[[str], Any], name: str) -> Future[Any]:
    note(name, "submitted")
    return pool.submit(function, name)


def with_two() -> None:
    with ThreadPoolExecutor(2, thread_name_prefix="two") as pool:
        names = ["one", "two", "three", "four"]
        said["workers"] = [future.result() for future in [submitted(pool, napping, name) for name in names]]
        submitted(pool, busy, "busy").result()


def with_one() -> None:
    begun, go = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(held, begun, go)
        begun.wait()
        failed = pool.submit(fails)
        dropped = [pool.submit(napping, "never") for _ in range(3)]
        assert all(future.cancel() for future in dropped)
        go.set()
        failed.exception()


def shut_down() -> None:
    begun, go = threading.Event(), threading.Event()
    pool = ThreadPoolExecutor(1, thread_name_prefix="shut")
    pool.submit(held, begun, go)
    begun.wait()
    waiting = [pool.submit(napping, "never") for _ in range(4)]
    pool.shutdown(wait=False, cancel_futures=True)
    assert all(future.cancelled() for future in waiting)
    go.set()


def kinds_of_functions() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="kinds") as pool:
        functions: tuple[Callable[[], Any], ...] = (
            Method().call,
            Method(),
            Method,
            functools.partial(functools.partial(napping), "partial"),
            time.monotonic,
            [].copy,
            lambda: None,
        )
        for function in functions:
            pool.submit(function)


def outer(pool: ThreadPoolExecutor) -> None:
    pool.submit(inner).result()


def inner() -> None:
    pass


def nested() -> None:
    with ThreadPoolExecutor(2, thread_name_prefix="nested") as pool:
        pool.submit(outer, pool).result()


async def on_a_loop() -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(2, thread_name_prefix="loop"))
    await asyncio.create_task(asyncio.to_thread(napping, "to_thread"), name="asks")
    await loop.run_in_executor(None, napping, "in_executor")
    await loop.shutdown_default_executor()


with_two()
with_one()
shut_down()
kinds_of_functions()
nested()
asyncio.run(on_a_loop())
print(json.dumps(said))
