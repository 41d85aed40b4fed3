"""A counter is raised by a task and by a function that runs in a thread.

The thread reads 0; the task, in the loop's thread, raises it to 1; the thread writes 1.
"""

import asyncio

KIND = "failure"
LEVEL = "access"
SOURCE = "ours; to_thread leaves the loop's one thread: https://docs.python.org/3/library/asyncio-task.html#asyncio.to_thread"


class Stats:
    def __init__(self) -> None:
        self.files = 0

    def read_file(self) -> None:
        self.files += 1

    async def read_small_file(self) -> None:
        self.files += 1


async def scenario() -> None:
    stats = Stats()
    await asyncio.gather(asyncio.to_thread(stats.read_file), stats.read_small_file())
    assert stats.files == 2
