"""Two functions run in threads and share nothing; the loop adds up what they return.

A third answers through a future of the loop, which the loop itself sets.
"""

import asyncio

KIND = "ok"
LEVEL = "access"
SOURCE = "https://docs.python.org/3/library/asyncio-task.html#asyncio.to_thread"


def square(number: int) -> int:
    return number * number


async def scenario() -> None:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[int] = loop.create_future()

    def in_thread() -> None:
        loop.call_soon_threadsafe(answer.set_result, 5)

    squares = await asyncio.gather(*(asyncio.to_thread(square, number) for number in (3, 4)))
    await asyncio.to_thread(in_thread)
    assert sum(squares) == await answer * 5
