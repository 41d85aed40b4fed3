"""What a block has left when it ends: units that it has made and that are still there.

It is read from the file of this process, as the tracer writes it; without NumPy, which starts threads. This is a first
look: most blocks leave nothing, and what is left here is looked at more closely in `verdict`.
"""

from __future__ import annotations

import contextlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from headway.trace.slots import SECTION, Slots, entries, opened, section

# As in native/record.h; a test compares them with `format`, which needs NumPy.
UNITS_AT = 1768
"""Where in the header the section of tasks, greenlets and jobs is."""
UNIT = struct.Struct("<12I4Q4I2Q")
"""The part of one of these that says what it is and does."""
ORDERS_AT = UNITS_AT + 2 * SECTION.size
"""And that of the orders in which locks were taken."""
ORDER = struct.Struct("<I 40x I 8x 8x Q")
"""Of one: ready, opposite, last_ns."""
TASK, GREENLET = 1, 2
NOT_ITS_OWN = 1 | 32 | 64
"""Flags: it stands for many; it is a hub; it is what its thread began with."""
DESTROYED = 128
LOCK, OTHER = 6, 15
"""Kinds of states: from the first to the last in which a unit waits."""
LONG_NS = 100_000_000
"""A step of this length may be worth a finding: as `findings.loop_blocked.LONG_NS`."""


class Inner(NamedTuple):
    """A task, greenlet or job. Fields as in struct hw_unit."""

    ready: int
    version: int
    kind: int
    flags: int
    creator: int
    parent: int
    carrier: int
    create_stack: int
    code: int
    name: int
    steps: int
    counted: int
    created_ns: int
    begun_ns: int
    end_ns: int
    since_ns: int
    state: int
    stack: int
    on: int
    live: int
    loop_ns: int
    longest_ns: int


@dataclass(frozen=True, slots=True)
class Left:
    """What is still there.

    Attributes:
        threads: Numbers of those that the thread of the block has made, or one of these.
        inner: Numbers of tasks and greenlets that wait.
        processes: Their pids.
        long: There may be a step that kept its event loop for long.
        lost: There may be a task that was thrown away while it waited.
        orders: Locks may have been taken in opposite orders.
    """

    threads: tuple[int, ...]
    inner: tuple[int, ...]
    processes: tuple[int, ...]
    long: bool
    lost: bool
    orders: bool

    @property
    def outlives(self) -> bool:
        """Whether there is something that may end without the help of this thread."""
        return bool(self.threads or self.processes)

    def __bool__(self) -> bool:
        return bool(self.outlives or self.inner or self.long or self.lost or self.orders)


class InnerSlots:
    """The tasks, greenlets and jobs of one process file; each reading looks at those that are left, and at new ones.

    Args:
        path: A `.hw` file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: list[int] = []
        self._known = 0

    def read(self, since_ns: int) -> list[tuple[int, Inner]]:
        """Those that have not ended, or not before a time; later readings leave out the others, too.

        Raises:
            OSError: The file cannot be read.
        """
        with opened(self.path) as fd:
            offset, stride, count = section(fd, UNITS_AT)
            numbers = [*self._kept, *range(self._known, count)] if stride >= UNIT.size else []
            found = [(n, Inner(*fields)) for n, fields in entries(fd, UNIT, offset, stride, numbers)]
        self._known = count
        found = [(number, unit) for number, unit in found if not unit.end_ns or unit.end_ns >= since_ns]
        self._kept = [number for number, _ in found]
        return [(number, unit) for number, unit in found if unit.ready]


_known: dict[Path, InnerSlots] = {}


def inner_of(path: Path) -> InnerSlots:
    """The same for all blocks of a process."""
    return _known.setdefault(path, InnerSlots(path))


def own_file(directory: Path) -> Path | None:
    """The file that this process writes; None if it writes none."""
    found = [path for path in directory.glob(f"process-{os.getpid()}-*.hw") if _start_ns(path)]
    return max(found, key=_start_ns, default=None)


def outliving(path: Path, start_ns: int, thread_id: int, children: set[int]) -> tuple[list[int], list[int]]:
    """Look which threads and processes of a block have not ended.

    Args:
        path: The file of this process.
        start_ns: When the block began.
        thread_id: The kernel's number of the thread that runs it.
        children: The processes that this one had when the block began, by pid.
    Returns:
        Numbers of threads, pids.
    Raises:
        OSError: The file cannot be read.
    """
    slots = Slots(path).made()
    family = {number for number, slot in slots.items() if slot.tid == thread_id and not slot.end_ns}
    threads = []
    for number, slot in slots.items():  # in order of creation
        if slot.created_ns >= start_ns and slot.creator in family:
            family.add(number)
            if slot.create_stack and not slot.end_ns:
                threads.append(number)
    return threads, sorted(filter(_runs, children_now() - children))


def _taken_in_opposite_orders(path: Path, start_ns: int) -> bool:
    """Whether some locks were, at a time or later."""
    with opened(path) as fd:
        offset, stride, count = section(fd, ORDERS_AT)
        if stride < ORDER.size:
            return False
        found = dict(entries(fd, ORDER, offset, stride, [*range(count)]))
    late = {number: opposite - 1 for number, (_, opposite, last_ns) in found.items() if last_ns >= start_ns}
    return any(opposite in late for opposite in late.values())


def left(inner: InnerSlots, start_ns: int, oldest_ns: int, threads: list[int], processes: list[int]) -> Left:
    """Look at what else is left: tasks and greenlets, and steps that were long.

    Args:
        inner: Of this process.
        start_ns: When the block began.
        oldest_ns: When the oldest block began that has not ended; 0: there is none.
        threads: What `outliving` has found.
        processes: Likewise.
    Raises:
        OSError: The file cannot be read.
    """
    left_inner, long, lost = [], False, False
    for number, unit in inner.read(min(start_ns, oldest_ns or start_ns)):
        if unit.end_ns and unit.end_ns < start_ns:
            continue
        lost |= bool(unit.flags & DESTROYED) and unit.created_ns >= start_ns
        long |= unit.longest_ns >= LONG_NS and unit.kind in (TASK, GREENLET)
        waits = not unit.end_ns and LOCK <= unit.state <= OTHER and unit.begun_ns
        if waits and unit.created_ns >= start_ns and _told(unit):
            left_inner.append(number)
    orders = _taken_in_opposite_orders(inner.path, start_ns)
    return Left(tuple(threads), tuple(left_inner), tuple(processes), long, lost, orders)


def _told(unit: Inner) -> bool:
    return unit.kind in (TASK, GREENLET) and not unit.flags & NOT_ITS_OWN


def children_now() -> set[int]:
    """The pids of this process's children; none where the kernel does not tell."""
    found: set[int] = set()
    for thread in os.listdir("/proc/self/task"):
        path = Path(f"/proc/self/task/{thread}/children")
        with contextlib.suppress(OSError), opened(path) as fd:  # the thread may have ended
            found.update(map(int, os.read(fd, 1 << 20).split()))
    return found


def _runs(pid: int) -> bool:
    """Whether a process runs: one that has ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in "ZX"


def _start_ns(path: Path) -> int:
    number = path.stem.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0
