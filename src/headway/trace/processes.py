"""The tree of processes: who started whom, when each ended, and the state of a process from its threads."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headway.trace.directory import Meta
from headway.trace.format import NOBODY, End, Flag, Ints, Kind
from headway.trace.image import ProcessImage
from headway.trace.interval import KINDS, RUNNING, UNKNOWN, Intervals

if TYPE_CHECKING:
    from headway.trace.model import Thread


@dataclass(slots=True)
class Lineage:
    """One process. `parent` is an index in the list, `started_by` (image index, slot), if known.

    Attributes:
        runs: It runs at this moment.
        image_ends: For each image its index, when it ended and whether it did.
        cpu_ns: What it used of cores, and those that it waited for, by the kernel; None: not known.
        made_by: Image index and number of the stack of who started it; None: not known.
        reaped: Somebody has waited for its end.
    """

    pid: int
    start_ns: int
    end_ns: int = 0
    runs: bool = False
    ended: bool = False
    parent: int | None = None
    started_by: tuple[int, int] | None = None
    command: list[str] = field(default_factory=list)
    images: list[int] = field(default_factory=list)
    image_ends: list[tuple[int, int, bool]] = field(default_factory=list)
    signal: int | None = None
    cpu_ns: int | None = None
    made_by: tuple[int, int] | None = None
    reaped: bool = False


class _Birth(NamedTuple):
    at_ns: int
    pid: int
    image: int
    slot: int
    stack: int


class _Death(NamedTuple):
    at_ns: int
    pid: int
    status: int
    cpu_ns: int
    """0: not known."""


def lineage(meta: Meta, images: list[ProcessImage]) -> list[Lineage]:
    """Group images into processes and find their parents and ends; the root is first, then by start."""
    found: list[Lineage] = []
    current: dict[int, Lineage] = {}
    for index, image in enumerate(images):
        pid = int(image.header["pid"])
        one = current.get(pid)
        # the same pid goes on with a new image only by exec; else the kernel has used it again
        if one is None or int(images[one.images[-1]].header["end"]) != End.EXEC:
            one = current[pid] = Lineage(pid, int(image.header["start_ns"]))
            found.append(one)
        one.images.append(index)
        one.command = image.command or one.command
    births, deaths = _beside(images)
    traced = {one.pid for one in found}
    for birth in births:
        if birth.pid not in traced:
            found.append(Lineage(birth.pid, birth.at_ns, started_by=(birth.image, birth.slot)))
    found.sort(key=lambda one: (one.pid != meta.pid or not one.images, one.start_ns))
    for one in found:
        _end(one, meta, images, deaths)
    # a trace ends no earlier than what is known of it
    latest = max([meta.end_ns or 0, *(one.end_ns for one in found)], default=0)
    for one in found:
        if not one.ended and not one.images:
            one.end_ns = max(latest, one.start_ns)
    _parents(found, images, births)
    return found


def _beside(images: list[ProcessImage]) -> tuple[list[_Birth], list[_Death]]:
    """Births and deaths that threads saw, by time."""
    births: list[_Birth] = []
    deaths: list[_Death] = []
    for index, image in enumerate(images):
        for slot, records in image.beside.items():
            kinds = records["dur_kind"] & 0xFF
            for record in records[kinds == Kind.CHILD]:
                births.append(
                    _Birth(int(record["start_ns"]), int(record["a"]), index, slot, int(record["b"]))
                )
            for record in records[kinds == Kind.REAPED]:
                cpu_ns = int(record["c"]) | int(record["d"]) << 32
                deaths.append(_Death(int(record["start_ns"]), int(record["a"]), int(record["b"]), cpu_ns))
    return sorted(births), sorted(deaths)


def _end(one: Lineage, meta: Meta, images: list[ProcessImage], deaths: list[_Death]) -> None:
    """When the process ended: its own word, else its parent's, else the trace's end, else the latest time."""
    reaped = next((death for death in deaths if death.pid == one.pid and death.at_ns >= one.start_ns), None)
    if reaped is not None:
        one.reaped = True
        one.signal = reaped.status & 0x7F or None
        one.cpu_ns = reaped.cpu_ns or None
    last = images[one.images[-1]] if one.images else None
    own = int(last.header["end_ns"]) if last is not None else 0
    latest = max([one.start_ns, *(images[i].latest_ns for i in one.images)])
    is_root = one.pid == meta.pid
    if is_root and meta.exit is not None and meta.exit < 0:
        one.signal = -meta.exit
    if is_root and meta.cpu_s:
        one.cpu_ns = round(meta.cpu_s * 1e9)
    if own and last is not None and int(last.header["end"]) != End.EXEC:
        one.end_ns, one.ended = max(own, latest), True
    elif reaped is not None:
        one.end_ns, one.ended = max(reaped.at_ns, latest), True
    elif meta.end_ns is not None and (is_root or own):
        one.end_ns, one.ended = max(meta.end_ns, latest), True
    else:
        one.runs = last is not None and last.is_mapped_by(one.pid)
        now = time.monotonic_ns() if one.runs else 0
        one.end_ns, one.ended = max(latest, meta.end_ns or 0, now), bool(own)
    for position, index in enumerate(one.images):
        is_last = position == len(one.images) - 1
        end = int(images[index].header["end_ns"])
        if not is_last:
            follows = int(images[one.images[position + 1]].header["start_ns"])
            one.image_ends.append((index, end or follows, True))
        else:
            one.image_ends.append((index, end or one.end_ns, one.ended))


def _parents(found: list[Lineage], images: list[ProcessImage], births: list[_Birth]) -> None:
    by_start = {int(image.header["start_ns"]): i for i, image in enumerate(images)}
    owner = {image: i for i, one in enumerate(found) for image in one.images}
    for i, one in enumerate(found):
        if one.images:
            header = images[one.images[0]].header
            parent_image = (
                by_start.get(int(header["parent_start_ns"])) if int(header["parent_start_ns"]) else None
            )
            if parent_image is not None and owner[parent_image] != i:
                one.parent = owner[parent_image]
                if images[one.images[0]].flags & Flag.FORKED and int(header["parent_slot"]) != NOBODY:
                    one.started_by = (parent_image, int(header["parent_slot"]))
            if one.started_by is None:
                born = [birth for birth in births if birth.pid == one.pid and owner[birth.image] != i]
                one.started_by = (born[-1].image, born[-1].slot) if born else None
        if one.parent is None and one.started_by is not None:
            one.parent = owner[one.started_by[0]]
        if one.parent is None and one.images and i > 0:
            ppid = int(images[one.images[0]].header["ppid"])
            one.parent = next((j for j, other in enumerate(found) if other.pid == ppid and j != i), None)
        _maker(one, births)


def _maker(one: Lineage, births: list[_Birth]) -> None:
    """Where it was started. The kernel may use its number again: the birth that is nearest to its start counts."""
    born = [birth for birth in births if birth.pid == one.pid]
    if born:
        nearest = min(born, key=lambda birth: abs(birth.at_ns - one.start_ns))
        one.made_by = (nearest.image, nearest.stack)


# --- the state of a process

# The most telling first: a process runs if any of its threads runs; else is ready if any is; else waits.
_PRIORITY = (
    Kind.PYTHON,
    Kind.NATIVE,
    RUNNING,
    Kind.GIL,
    Kind.CPU,
    UNKNOWN,
    Kind.LOCK,
    Kind.CONDITION,
    Kind.EVENT,
    Kind.QUEUE,
    Kind.IO,
    Kind.PROCESS,
    Kind.FUTURE,
    Kind.SLEEP,
    Kind.JOIN,
    Kind.OTHER,
    Kind.START,
)
_BUSY = (Kind.PYTHON, Kind.NATIVE, RUNNING, Kind.GIL, Kind.CPU)


def _ranks(*, waiting: int) -> NDArray[np.uint8]:
    """Rank of each kind, shape (KINDS,): those that run or want to run come before all that wait."""
    n = len(_PRIORITY)
    out = np.zeros(KINDS, np.uint8)
    for i, kind in enumerate(_PRIORITY):
        out[kind] = n - i + (2 * n if kind in _BUSY else waiting)
    return out


# Where all threads wait, what the main thread waits for says more than what idle helpers do.
_RANK_OF_MAIN, _RANK = _ranks(waiting=len(_PRIORITY)), _ranks(waiting=0)
_KIND_OF_RANK = np.zeros(3 * len(_PRIORITY) + 1, np.uint8)
_KIND_OF_RANK[_RANK] = np.arange(KINDS)
_KIND_OF_RANK[_RANK_OF_MAIN] = np.arange(KINDS)

_Steps = tuple[Ints, NDArray[np.uint8]]


class ProcessStates:
    """Consumer: the state of each process at each moment, derived from its threads.

    A process runs while one of its threads does, is ready while none runs and one is ready, and else waits
    for what its main thread waits for.

    Cost: O(n log threads) time; memory for the changes of state, not for the intervals.
    """

    def __init__(self) -> None:
        self._piles: dict[int, list[tuple[int, _Steps]]] = {}
        self._thread: int | None = None
        self._process = 0
        self._parts: list[_Steps] = []
        self._end = 0

    def add(self, thread: Thread, rows: Intervals) -> None:
        """See `model.Consumer`."""
        if thread.id != self._thread:
            self._close()
            self._thread, self._process = thread.id, thread.process
        ranks = (_RANK_OF_MAIN if thread.number == 0 else _RANK)[rows["kind"]]
        keep = np.ones(len(ranks), bool)
        keep[1:] = ranks[1:] != ranks[:-1]
        self._parts.append((rows["start_ns"][keep], ranks[keep]))
        self._end = int(rows["end_ns"][-1])

    def _close(self) -> None:
        if self._parts:
            times = np.concatenate([*(p[0] for p in self._parts), [self._end]])
            ranks = np.concatenate([*(p[1] for p in self._parts), np.zeros(1, np.uint8)])
            pile = self._piles.setdefault(self._process, [])
            pile.append((0, (times, ranks)))
            while len(pile) > 1 and pile[-1][0] == pile[-2][0]:
                level, top = pile.pop()
                pile[-1] = (level + 1, _higher(pile[-1][1], top))
        self._parts = []

    def totals(self, process: int, start_ns: int, end_ns: int) -> Ints:
        """Sum the ns of a process by kind, shape (KINDS,); adds up to `end_ns - start_ns`. After the pass."""
        self._close()
        out = np.zeros(KINDS, np.int64)
        pile = self._piles.get(process, [])
        if pile:
            steps = pile[-1][1]
            for _, other in reversed(pile[:-1]):
                steps = _higher(other, steps)
            self._piles[process] = [(64, steps)]
            times, ranks = np.clip(steps[0], start_ns, end_ns), steps[1]
            lengths = np.diff(times)
            live = ranks[:-1] > 0
            np.add.at(out, _KIND_OF_RANK[ranks[:-1][live]], lengths[live])
        # moments in which it had no thread that was traced
        out[UNKNOWN] += end_ns - start_ns - int(out.sum())
        return out


def _higher(one: _Steps, two: _Steps) -> _Steps:
    """The higher of two step functions, each 0 outside its steps."""
    both = np.concatenate([one[0], two[0]])
    order = np.argsort(both, kind="stable")  # two runs in order: one merge
    times = both[order]
    from_one = order < len(one[0])
    i = np.cumsum(from_one) - 1
    j = np.arange(len(order)) - i - 1
    best = np.maximum(
        np.where(i >= 0, one[1][np.maximum(i, 0)], 0), np.where(j >= 0, two[1][np.maximum(j, 0)], 0)
    )
    keep = np.ones(len(times), bool)
    keep[:-1] = times[1:] != times[:-1]  # of equal times the last has both steps behind it
    times, best = times[keep], best[keep]
    change = np.ones(len(times), bool)
    change[1:] = best[1:] != best[:-1]
    return times[change], best[change]
