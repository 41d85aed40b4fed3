"""A server waits at its end for all tasks in a table, from which each task takes itself when it is done.

The server is told to stop before the first task has run, and awaits it; that takes itself out, and the loop over the
table raises RuntimeError: dictionary changed size during iteration. If all are done before, nobody is awaited.
"""

import asyncio
from collections.abc import Callable

KIND = "failure"
LEVEL = "sync"
SOURCE = (
    "background_tasks, in a loop; https://docs.python.org/3/library/asyncio-task.html#asyncio.create_task"
)


async def scenario() -> None:
    tasks: dict[int, asyncio.Task[None]] = {}
    answered: list[int] = []
    stopped = asyncio.Event()

    async def answer(number: int) -> None:
        answered.append(number)

    async def stop() -> None:
        stopped.set()

    def forget(number: int) -> Callable[[object], object]:
        return lambda _: tasks.pop(number, None)

    for number in range(2):
        tasks[number] = asyncio.create_task(answer(number))
        tasks[number].add_done_callback(forget(number))
    stopping = asyncio.create_task(stop())
    await stopped.wait()
    for task in tasks.values():
        await task
    await stopping
    assert sorted(answered) == [0, 1]
