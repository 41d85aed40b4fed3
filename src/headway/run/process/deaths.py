"""The end of a worker: which call is to blame, what becomes of the others, and what to tell."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from headway.errors import WorkerDied
from headway.run.process.flight import Task
from headway.run.process.page import LOADING

if TYPE_CHECKING:
    from headway.run.process.handle import Handle
    from headway.run.process.pool import Pool

__all__ = ["Death", "bury"]

MOST_CRASHES = 3
"""Workers that may die at the start, or with a task but not in one of its calls, before that is an error."""


class Death:
    """A dead worker. What it sent before is delivered; it is no longer among the pool's."""

    def __init__(self, pool: Pool, handle: Handle) -> None:
        self.pool = pool
        self.handle = handle
        self.begun = handle.begun
        self.loading = handle.page[LOADING]
        self.fault = handle.fault()
        self.exit = handle.reap()

    def error(self, doing: str) -> WorkerDied:
        """What to tell."""
        code, killed = self.exit
        if killed is not None:
            how = f"was killed by {signal.Signals(killed).name}"
        elif code is not None:
            how = f"exited with code {code}"
        else:
            how = "ended, and its exit status was taken by someone else"
        message = f"{self.handle.name} {how} {doing}"
        if self.fault:
            message += f"\n{self.fault.rstrip()}"
        made = WorkerDied(message)
        made.exit_code, made.signal, made.fault = code, killed, self.fault
        return made


def bury(death: Death) -> None:
    """Deliver what the death means for the call that ran, and have the others run elsewhere."""
    pool, handle = death.pool, death.handle
    again: list[Task] = []
    lost: list[tuple[Task, BaseException]] = []
    with pool.lock:
        flights = [flight for flight in handle.flights if not flight.stopped]
        handle.flights.clear()
    blamed = False
    for flight in flights:
        start, end, begun = flight.delivered, flight.end, death.begun
        if not start <= begun < end:
            if start < end:
                again.append(flight.part(start, end))
            continue
        blamed = True
        if handle.killed is not None and handle.killed[0] == begun:
            error = handle.killed[1]
        else:
            error = death.error(f"while it ran {_call(flight.part(begun, begun + 1))}")
        lost.append((flight.part(begun, begun + 1), error))
        again += [flight.part(*part) for part in ((start, begun), (begun + 1, end)) if part[0] < part[1]]
    if not handle.ready:
        pool.failed_starts += 1
        if pool.failed_starts >= MOST_CRASHES:
            pool.break_down(death.error("as it started"))
    elif again and not blamed and handle.killed is None:
        first = again[0]
        first.crashes += 1
        if first.crashes >= MOST_CRASHES or death.loading:
            again[:1] = [first.part(place, place + 1) for place in range(first.start, first.stop)]
            if first.stop - first.start == 1:
                lost.append((again.pop(0), death.error(f"before it could run {_call(first)}")))
    with pool.lock:
        pool.queue.extendleft(reversed(again))
    for task, error in lost:
        pool.fail([task], error, handle.name)


def _call(task: Task) -> str:
    batch = task.batch
    name = getattr(batch.fn, "__qualname__", None) or type(batch.fn).__qualname__
    item = batch.items[task.start]
    args = ", ".join(map(_short, item)) if batch.star else _short(item)
    return f"{name}({args})"


def _short(thing: object) -> str:
    try:
        text = repr(thing)
    except Exception:
        text = f"<{type(thing).__qualname__}>"
    return text if len(text) <= 200 else f"{text[:120]}...{text[-60:]}"
