"""How a unit of any kind waits: a thread, a greenlet, or an asyncio task."""

from headway.run.parking.choice import blocking_waiter, park, task_waiter
from headway.run.parking.waiter import ABANDONED, TIMED_OUT, BlockingWaiter, Waiter, act_after

__all__ = [
    "ABANDONED",
    "TIMED_OUT",
    "BlockingWaiter",
    "Waiter",
    "act_after",
    "blocking_waiter",
    "park",
    "task_waiter",
]
