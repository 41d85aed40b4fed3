"""Two tasks take two locks in opposite order, with an await between.

Each has its first lock and waits for the other's.
"""

import asyncio

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "Coffman, Elphick, Shoshani, System Deadlocks, Computing Surveys, 1971"


async def scenario() -> None:
    ledger, journal = asyncio.Lock(), asyncio.Lock()
    written: list[str] = []

    async def write(name: str, first: asyncio.Lock, second: asyncio.Lock) -> None:
        async with first:
            await asyncio.sleep(0)
            async with second:
                written.append(name)

    await asyncio.gather(write("ann", ledger, journal), write("bob", journal, ledger))
    assert sorted(written) == ["ann", "bob"]
