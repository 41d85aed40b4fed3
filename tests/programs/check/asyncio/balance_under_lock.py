"""Deposits that read, wait for the audit and write, all under one lock.

Whoever comes first, the other waits.
"""

import asyncio

KIND = "ok"
LEVEL = "sync"
SOURCE = "balance_over_await, mended"


class Account:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.balance = 0

    async def deposit(self, amount: int) -> None:
        async with self.lock:
            balance = self.balance
            await asyncio.sleep(0)
            self.balance = balance + amount


async def scenario() -> None:
    account = Account()
    await asyncio.gather(*(account.deposit(amount) for amount in (1, 2, 3)))
    assert account.balance == 6
