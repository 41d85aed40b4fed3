"""Two deposits read the balance, wait for the audit, and write.

Both read 0 before either writes: one deposit is lost. If the audit of the first ends before the second starts, all is
well.
"""

import asyncio

KIND = "failure"
LEVEL = "sync"
SOURCE = "ours; an await is where other tasks run"


class Account:
    def __init__(self) -> None:
        self.balance = 0

    async def audit(self, amount: int) -> None:
        await asyncio.sleep(0)

    async def deposit(self, amount: int) -> None:
        balance = self.balance
        await self.audit(amount)
        self.balance = balance + amount


async def scenario() -> None:
    account = Account()
    await asyncio.gather(account.deposit(3), account.deposit(4))
    assert account.balance == 7
