"""Records one block after the other, and prints what was found in each. What begins with `no_` leaves nothing."""

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import headway

kept: list[Any] = []
never = threading.Event()


# --- threads and executors


def thread_at_an_event() -> None:
    threading.Thread(target=never.wait, name="waiter", daemon=True).start()  # made here


def three_threads() -> None:
    for _ in range(3):
        threading.Thread(target=never.wait, daemon=True).start()  # made here


def thread_of_a_thread() -> None:
    def maker() -> None:
        threading.Thread(target=never.wait, name="inner", daemon=True).start()  # made here

    thread = threading.Thread(target=maker)
    thread.start()
    thread.join()


def executor_that_is_not_shut_down() -> None:
    pool = ThreadPoolExecutor(2, thread_name_prefix="ours")
    kept.append(pool)
    pool.submit(int).result()  # made here


def no_thread_that_is_joined() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


def no_thread_that_was_told_to_end() -> None:
    stop = threading.Event()

    def run() -> None:
        stop.wait()
        time.sleep(0.1)

    threading.Thread(target=run).start()
    stop.set()


def no_executor_in_a_with() -> None:
    with ThreadPoolExecutor(2) as pool:
        pool.submit(int).result()


def no_executor_that_nobody_has() -> None:
    ThreadPoolExecutor(2).submit(int).result()


def no_thread_that_a_library_keeps() -> None:
    sys.path.insert(0, str(Path(os.environ["LIBRARIES"])))
    import helpful  # type: ignore[import-not-found]  # the test makes it

    helpful.start()


def no_map_of_headway() -> None:
    assert list(headway.map(abs, range(8), on="threads", workers=2)) == list(range(8))


def no_thread_that_another_makes() -> None:
    """Who makes it was there before the block, and goes on with its own work."""
    asked.set()
    answered.wait()


asked, answered = threading.Event(), threading.Event()


def bystander() -> None:
    asked.wait()
    threading.Thread(target=never.wait, daemon=True).start()
    answered.set()


# --- tasks


def blocked_loop() -> None:
    async def ticks() -> None:
        for _ in range(5):
            await asyncio.sleep(0.01)

    async def main() -> None:
        other = asyncio.create_task(ticks())
        await asyncio.sleep(0.02)
        time.sleep(0.3)  # made here
        await other

    asyncio.run(main())


def no_tasks_that_the_loop_cancels() -> None:
    async def main() -> None:
        kept.append(asyncio.create_task(asyncio.Event().wait()))
        await asyncio.sleep(0.01)

    asyncio.run(main())


def no_loop_that_is_kept_from_nobody() -> None:
    async def main() -> None:
        time.sleep(0.2)

    asyncio.run(main())


async def task_that_waits() -> None:
    kept.append(asyncio.create_task(asyncio.Event().wait(), name="forgotten"))  # made here
    await asyncio.sleep(0.01)


async def task_that_is_lost() -> None:
    async def answer() -> None:
        await asyncio.get_running_loop().create_future()

    asyncio.create_task(answer(), name="lost")  # noqa: RUF006 # made here
    await asyncio.sleep(0.01)
    gc.collect()
    await asyncio.sleep(0.01)


async def no_task_that_is_awaited() -> None:
    await asyncio.create_task(asyncio.sleep(0.01))


async def no_task_that_was_cancelled() -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    await asyncio.sleep(0.01)
    task.cancel()


async def no_thread_of_the_loop() -> None:
    await asyncio.to_thread(int)


async def in_a_task(way: Callable[[], Any]) -> list[dict[str, Any]]:
    async with headway.record() as recording:
        await way()
    return told(recording)


def greenlet_at_an_event() -> None:
    import gevent.event

    def waits() -> None:
        gevent.event.Event().wait()

    kept.append(gevent.spawn(waits))  # made here
    gevent.sleep(0.01)


def no_greenlet_that_is_joined() -> None:
    import gevent

    gevent.spawn(gevent.sleep, 0.01).join()


# --- processes


def process_that_runs() -> None:
    kept.append(subprocess.Popen(["sleep", "1000"]))  # made here


def no_process_that_is_waited_for() -> None:
    subprocess.run(["true"], check=True)


def no_process_that_has_ended() -> None:
    child = subprocess.Popen(["sleep", "0.1"])
    kept.append(child)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


# --- deadlocks


def deadlock() -> None:
    first, second = threading.Lock(), threading.Lock()
    two = threading.Barrier(2)

    def ahead() -> None:
        with first:
            two.wait()
            with second:
                pass

    def back() -> None:
        with second:
            two.wait()
            with first:  # made here
                pass

    threads = [threading.Thread(target=way, daemon=True) for way in (ahead, back)]
    for thread in threads:
        thread.start()
    while not (first.locked() and second.locked()):
        time.sleep(0.01)
    for thread in threads:
        thread.join(0.5)


# ---


def told(recording: headway.Recording) -> list[dict[str, Any]]:
    return [
        {"kind": one.kind, "sentence": one.sentence, "evidence": one.evidence, "where": one.where}
        for one in recording.findings
    ]


def in_a_block(way: Callable[[], Any]) -> list[dict[str, Any]]:
    if asyncio.iscoroutinefunction(way):
        return asyncio.run(in_a_task(way))
    with headway.record() as recording:
        way()
    return told(recording)


if __name__ == "__main__":
    threading.Thread(target=bystander, daemon=True).start()
    found = {name: in_a_block(globals()[name]) for name in sys.argv[1:]}
    for one in kept:
        if isinstance(one, subprocess.Popen):
            one.kill()
    print(json.dumps(found))
