"""Leaves things behind, or looks as if it did: `leaks.py WHAT`. What begins with `no_` leaks nothing."""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

MANY = 24
EVERY_S = 0.025
kept: list[Any] = []


def again(act: Callable[[], object], times: int = MANY) -> None:
    """Do something again and again, as a server does for its requests."""
    for _ in range(times):
        act()
        time.sleep(EVERY_S)


def daemon(target: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


# --- threads


def threads_at_a_queue() -> None:
    def request() -> None:
        answers: queue.Queue[int] = queue.Queue()
        threading.Thread(target=answers.get, daemon=True).start()  # made here

    again(request)


def threads_at_an_event() -> None:
    stop = threading.Event()
    again(lambda: threading.Thread(target=stop.wait, daemon=True).start())  # made here


def no_threads_of_a_pool_of_its_own() -> None:
    work: queue.Queue[int] = queue.Queue()
    for _ in range(MANY):
        daemon(work.get)
    time.sleep(MANY * EVERY_S)


def no_threads_that_come_and_go() -> None:
    again(lambda: daemon(lambda: time.sleep(EVERY_S / 2)))


def no_threads_that_get_work_now_and_then() -> None:
    boxes: list[queue.Queue[int]] = []

    def actor(box: queue.Queue[int]) -> None:
        while box.get():
            pass

    def request() -> None:
        box: queue.Queue[int] = queue.Queue()
        boxes.append(box)
        daemon(lambda: actor(box))
        for one in boxes:
            one.put(1)

    again(request)


def no_threads_of_connections() -> None:
    """Each has one that reads, and one that has nothing to write yet."""

    def connect() -> None:
        ours, theirs = socket.socketpair()
        kept.extend([ours, theirs])
        outgoing: queue.Queue[int] = queue.Queue()
        daemon(lambda: ours.recv(1))
        daemon(outgoing.get)

    again(connect)


def no_threads_with_a_time_limit() -> None:
    stop = threading.Event()
    again(lambda: daemon(lambda: stop.wait(1000)))


def no_threads_of_helpers() -> None:
    stop = threading.Event()
    again(lambda: daemon(stop.wait), times=8)


# --- executors


def executors() -> None:
    def request() -> None:
        pool = ThreadPoolExecutor(2)
        kept.append(pool)
        pool.submit(int).result()  # first used here

    again(request)


def no_executors_one_after_the_other() -> None:
    def request() -> None:
        with ThreadPoolExecutor(2) as pool:
            pool.submit(int).result()

    again(request)


def no_executors_that_nobody_has() -> None:
    def request() -> None:
        ThreadPoolExecutor(2).submit(int).result()

    again(request)


def no_executor_with_idle_workers() -> None:
    pool = ThreadPoolExecutor(MANY)
    kept.append(pool)
    for _ in range(MANY):
        pool.submit(time.sleep, 0.05)
    time.sleep(MANY * EVERY_S)


def no_executor_of_the_loop() -> None:
    async def main() -> None:
        for _ in range(MANY):
            await asyncio.to_thread(int)
            await asyncio.sleep(EVERY_S)

    asyncio.run(main())


# --- tasks


def tasks_at_an_event() -> None:
    async def main() -> None:
        never = asyncio.Event()
        for _ in range(MANY):
            kept.append(asyncio.create_task(never.wait()))  # made here
            await asyncio.sleep(EVERY_S)

    asyncio.run(main())


def tasks_of_requests() -> None:
    async def watch(answer: "asyncio.Queue[int]") -> None:
        await answer.get()

    async def request() -> None:
        kept.append(asyncio.create_task(watch(asyncio.Queue())))  # made here
        await asyncio.sleep(EVERY_S / 2)

    async def main() -> None:
        for _ in range(MANY):
            await asyncio.create_task(request())
            await asyncio.sleep(EVERY_S / 2)
        os._exit(0)

    asyncio.run(main())


def no_tasks_whose_results_nobody_wants() -> None:
    async def main() -> None:
        for _ in range(MANY):
            kept.append(asyncio.create_task(asyncio.sleep(EVERY_S / 2)))
            await asyncio.sleep(EVERY_S)

    asyncio.run(main())


def no_tasks_that_are_left_at_the_end() -> None:
    async def main() -> None:
        never = asyncio.Event()
        for _ in range(MANY):
            kept.append(asyncio.create_task(never.wait()))
        await asyncio.sleep(MANY * EVERY_S)

    asyncio.run(main())


def no_tasks_of_connections() -> None:
    """Those that accept them are made by callbacks of the loop; each waits for more, and for what it has made."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        outgoing: asyncio.Queue[int] = asyncio.Queue()
        kept.append(asyncio.create_task(outgoing.get()))
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await reader.read()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        for _ in range(MANY):
            kept.append(await asyncio.open_connection(host, port))
            await asyncio.sleep(EVERY_S)

    asyncio.run(main())


def no_tasks_of_sessions() -> None:
    """As above, where the one that reads waits for a future that a protocol will set."""

    async def session() -> None:
        outgoing: asyncio.Queue[int] = asyncio.Queue()
        kept.append(asyncio.create_task(outgoing.get()))
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(MANY):
            loop.call_soon(lambda: kept.append(loop.create_task(session())))
            await asyncio.sleep(EVERY_S)

    asyncio.run(main())


def no_tasks_of_readers_that_main_makes() -> None:
    async def main() -> None:
        for _ in range(MANY):
            ours, theirs = socket.socketpair()
            reader, _ = await asyncio.open_connection(sock=ours)
            outgoing: asyncio.Queue[int] = asyncio.Queue()
            kept.extend([theirs, asyncio.create_task(reader.read()), asyncio.create_task(outgoing.get())])
            await asyncio.sleep(EVERY_S)

    asyncio.run(main())


def no_tasks_that_their_maker_cancels() -> None:
    async def main() -> None:
        never = asyncio.Event()
        for _ in range(MANY):
            task = asyncio.create_task(never.wait())
            await asyncio.sleep(EVERY_S)
            task.cancel()

    asyncio.run(main())


def task_without_a_reference() -> None:
    async def answer() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        asyncio.create_task(answer(), name="lost")  # noqa: RUF006 # made here
        await asyncio.sleep(0.01)
        gc.collect()
        await asyncio.sleep(0.01)

    asyncio.run(main())


def no_tasks_that_outlive_their_loop() -> None:
    async def main() -> None:
        asyncio.create_task(asyncio.Event().wait())  # noqa: RUF006
        await asyncio.sleep(0.01)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    gc.collect()


# --- greenlets


def greenlets_at_an_event() -> None:
    import gevent.event

    never = gevent.event.Event()
    for _ in range(MANY):
        kept.append(gevent.spawn(never.wait))  # made here
        gevent.sleep(EVERY_S)


def no_greenlets_that_end() -> None:
    import gevent

    for _ in range(MANY):
        kept.append(gevent.spawn(gevent.sleep, EVERY_S / 2))
        gevent.sleep(EVERY_S)


# --- processes


def processes() -> None:
    for _ in range(12):
        kept.append(subprocess.Popen(["true"]))  # made here
    time.sleep(2)
    os._exit(0)


def forks() -> None:
    for _ in range(12):
        if not os.fork():  # made here
            os._exit(0)
    time.sleep(2)


def no_processes_that_are_polled() -> None:
    children = [subprocess.Popen(["true"]) for _ in range(12)]
    while any(child.poll() is None for child in children):
        time.sleep(0.01)
    time.sleep(1.5)


def no_processes_that_another_start_looks_after() -> None:
    context = multiprocessing.get_context("fork")
    for _ in range(12):
        context.Process(target=int).start()
        time.sleep(0.1)
    time.sleep(1.5)


def no_processes_that_the_kernel_looks_after() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in range(12):
        kept.append(subprocess.Popen(["true"]))
    time.sleep(1.5)


def no_processes_that_are_waited_for_late() -> None:
    children = [subprocess.Popen(["true"]) for _ in range(12)]
    time.sleep(1.5)
    for child in children:
        child.wait()


def no_processes_that_end_with_the_program() -> None:
    for _ in range(12):
        kept.append(subprocess.Popen(["true"]))


globals()[sys.argv[1]]()
