"""The end of a worker: which call is to blame, what becomes of the others, and what to tell."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING

from headway.errors import WorkerDied
from headway.run.process.flight import Task
from headway.run.process.page import LOADING
from headway.run.process.worker import NO_MEMORY

if TYPE_CHECKING:
    from headway.run.process.handle import Handle
    from headway.run.process.pool import Pool

__all__ = ["MORE_MEMORY", "Death", "Memory", "bury"]

MOST_CRASHES = 3
"""Workers that may die at the start, or with a task but not in one of its calls, before that is an error."""


MORE_MEMORY = "it may need more memory_bytes: what its functions and their modules take counts, too"


class Death:
    """A dead worker. What it sent before is delivered; it is no longer among the pool's."""

    def __init__(self, pool: Pool, handle: Handle) -> None:
        self.pool = pool
        self.handle = handle
        self.begun = handle.begun
        self.loading = handle.page[LOADING]
        self.fault = handle.fault()
        self.exit = handle.reap()
        self.starved = self.exit.signal == signal.SIGKILL and pool.memory.grew()

    def error(self, doing: str) -> WorkerDied:
        """What to tell."""
        code, killed = self.exit
        hint = None
        if killed is not None:
            how = f"was killed by {_name(killed)}"
            if self.starved:
                how += ", likely out of memory,"
                hint = "use fewer workers, or limit what one may allocate with memory_bytes"
        elif code == NO_MEMORY:
            how = "ran out of memory"
            hint = "use fewer workers"
        elif code is not None:
            how = f"exited with code {code}"
            hint = "sys.exit ends a call, os._exit its process"
        else:
            how = "ended, and its exit status was taken by someone else"
        limit = self.handle.surroundings.memory_bytes
        if limit is not None and not self.starved and (killed is not None or code == NO_MEMORY):
            doing += f"; it has a memory limit of {limit} bytes"
            hint = MORE_MEMORY
        message = f"{self.handle.name} {how} {doing}"
        if self.fault:
            message += f"\n{_of_the_call(self.fault)}"
        made = WorkerDied(message, hint=hint)
        made.exit_code, made.signal, made.fault = code, killed, self.fault
        return made


class Memory:
    """Whether the kernel has killed something for lack of memory since this was last asked."""

    def __init__(self) -> None:
        self._files = [path for path in _memory_files() if _count(path) is not None]
        self._kills = self._read()

    def grew(self) -> bool:
        """Ask."""
        before, self._kills = self._kills, self._read()
        return self._kills > before

    def _read(self) -> int:
        return sum(_count(path) or 0 for path in self._files)


def _memory_files() -> list[str]:
    """Where the kernel counts its kills: for the container we are in, or else for the machine."""
    files = []
    with contextlib.suppress(OSError), open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if not controllers:
                files.append(f"/sys/fs/cgroup{path}/memory.events")
            elif "memory" in controllers.split(","):
                files.append(f"/sys/fs/cgroup/memory{path}/memory.oom_control")
    return [*files, "/proc/vmstat"]


def _count(path: str) -> int | None:
    with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
        for line in file:
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return None


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _of_the_call(fault: str) -> str:
    """What faulthandler wrote of the thread that failed, without the frames that are ours."""
    head, _, rest = fault.partition("most recent call first):\n")
    lines = [head.partition("\n")[0]]
    for line in rest.splitlines():
        if not line.startswith("  File "):
            break
        if os.path.join("headway", "run", "process", "") not in line and '"<string>"' not in line:
            lines.append(line)
    return "\n".join(lines)


def bury(death: Death) -> None:
    """Deliver what the death means for the call that ran, and have the others run elsewhere."""
    pool, handle = death.pool, death.handle
    again: list[Task] = []
    lost: list[tuple[Task, BaseException]] = []
    with pool.lock:
        flights = [
            flight for flight in handle.flights if not flight.stopped and flight.delivered < flight.end
        ]
        for flight in handle.flights:
            if death.begun >= flight.first:
                sys.audit("headway.landed", pool, handle.pid, flight.first, False)
            else:
                sys.audit("headway.lost", pool, handle.pid, flight.first, flight.stopped)
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
    if not handle.ready and handle.adopted:
        pass  # it was stale, see Worker._stale; another is started
    elif not handle.ready:
        pool.starter.failed += 1
        if pool.starter.failed >= MOST_CRASHES:
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
    shown = getattr(batch.fn, "_shown", None)  # of `headway map`, whose items are not what its user gave
    if shown is not None:
        item = shown(item)
    args = ", ".join(map(_short, item)) if batch.star else _short(item)
    return f"{name}({args})"


def _short(thing: object) -> str:
    try:
        text = repr(thing)
    except Exception:
        text = f"<{type(thing).__qualname__}>"
    return text if len(text) <= 200 else f"{text[:120]}...{text[-60:]}"
