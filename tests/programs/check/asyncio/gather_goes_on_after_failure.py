"""A debit and a credit are gathered; when one fails, the balance is put back, while the other goes on.

`gather` does not cancel the rest: the debit fails, the balance is put back to 100, and then the credit adds 50. If the
credit is faster than the debit, what it did is put back, too.
"""

import asyncio

KIND = "failure"
LEVEL = "sync"
SOURCE = (
    "https://docs.python.org/3/library/asyncio-task.html#asyncio.gather: other awaitables won't be cancelled"
)


class Account:
    def __init__(self, balance: int) -> None:
        self.balance = balance

    async def debit(self, amount: int) -> None:
        await asyncio.sleep(0)
        raise ValueError(f"{amount} is not there")

    async def credit(self, amount: int) -> None:
        await asyncio.sleep(0)
        self.balance += amount


async def scenario() -> None:
    account = Account(100)
    try:
        await asyncio.gather(account.debit(500), account.credit(50))
    except ValueError:
        account.balance = 100
    await asyncio.sleep(0.001)
    assert account.balance == 100
