"""A server waits at its end for all tasks in a set, from which each task takes itself when it is done.

The first task awaited takes itself out: the loop over the set raises RuntimeError, set changed size during iteration.
If all are done before, the set is empty.
"""

import asyncio

KIND = "failure"
LEVEL = "sync"
SOURCE = (
    "background_tasks of https://docs.python.org/3/library/asyncio-task.html#asyncio.create_task, in a loop"
)


async def scenario() -> None:
    tasks: set[asyncio.Task[None]] = set()
    answered: list[int] = []

    async def answer(number: int) -> None:
        answered.append(number)

    for number in range(2):
        task = asyncio.create_task(answer(number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.sleep(0)
    for task in tasks:
        await task
    assert sorted(answered) == [0, 1]
