"""The GIL: who held it, who waited for it, and where long holds ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headway.trace.format import Kind
from headway.trace.interval import Intervals
from headway.trace.model import Process, Thread, Trace
from headway.trace.stacks import Frame, own_frame


@dataclass(slots=True)
class Gil:
    """One GIL of one process image, for as long as that lived.

    Attributes:
        held_ns: By anyone; exact.
        held: ns by thread id. Blocking calls made while holding it count.
        waited: ns by thread id.
        exact: False where several GILs share a process: who held and waited is then from the timeline, and
            folded intervals had to be given to one of them.
        long_holds: Where long holds ended: (frame, the program's own frame, ns), most first.
    """

    process: Process
    image_index: int
    number: int
    span_ns: int
    held_ns: int
    held: dict[int, int] = field(default_factory=dict)
    waited: dict[int, int] = field(default_factory=dict)
    exact: bool = True
    long_holds: list[tuple[Frame, Frame, int]] = field(default_factory=list)

    @property
    def waited_ns(self) -> int:
        """By all threads together."""
        return sum(self.waited.values())


def gils_of(trace: Trace) -> list[Gil]:
    """The GILs of a trace; none for a process where it was not found or does not exist.

    With one GIL in a process all figures are exact, from the threads' totals. With several (sub-interpreters)
    they come from the timeline.
    """
    found = []
    for process in trace.processes:
        for image_index in process.images:
            found += _of_image(trace, process, image_index)
    return found


def _of_image(trace: Trace, process: Process, image_index: int) -> list[Gil]:
    image = trace.images[image_index]
    numbers = np.flatnonzero(image.gils["ready"] != 0).tolist()
    threads = [thread for thread in process.threads if thread.image_index == image_index]
    if image.gil is not True or not numbers or not threads:
        return []
    span = max(t.end_ns for t in threads) - min(t.start_ns for t in threads)
    gils = [
        Gil(process, image_index, number, span, _held_by_anyone(image.gils[number], threads, number))
        for number in numbers
    ]
    if len(gils) == 1:
        gil = gils[0]
        for thread in threads:
            if held := held_ns(thread):
                gil.held[thread.id] = held
            if waited := int(thread.totals[Kind.GIL]):
                gil.waited[thread.id] = waited
    else:
        uses = _Uses({gil.number: gil for gil in gils})
        trace.scan(uses, threads=threads)
        gils = [gil for gil in gils if gil.held_ns or gil.waited]
        for gil in gils:
            if len(gil.held) == 1:
                gil.held = dict.fromkeys(gil.held, gil.held_ns)
    for gil in gils[:1]:
        gil.long_holds = _long_holds(trace, image_index)
    return gils


def held_ns(thread: Thread) -> int:
    """How long a thread held a GIL, the hold at its end included."""
    return int(thread.slot["hold_ns"]) + _open_hold_ns(thread)


def _open_hold_ns(thread: Thread, gil: int | None = None) -> int:
    slot = thread.slot
    holds = int(slot["holds"])
    if not holds or not int(slot["hold_since_ns"]) or int(slot["end_ns"]) or gil not in (None, holds - 1):
        return 0
    return max(0, thread.end_ns - int(slot["hold_since_ns"]))


def _held_by_anyone(gil: Any, threads: list[Thread], number: int) -> int:
    return int(gil["held_ns"]) + sum(_open_hold_ns(thread, number) for thread in threads)


class _Uses:
    """Consumer: time by GIL, of a process with several."""

    def __init__(self, gils: dict[int, Gil]) -> None:
        self._gils = gils

    def add(self, thread: Thread, rows: Intervals) -> None:
        for kind, name in ((Kind.PYTHON, "held"), (Kind.GIL, "waited")):
            mine = rows[rows["kind"] == kind]
            numbers = np.minimum(mine["a"], max(self._gils))
            sums = np.bincount(numbers, mine["end_ns"] - mine["start_ns"])
            for number in np.flatnonzero(sums).tolist():
                if gil := self._gils.get(number):
                    table: dict[int, int] = getattr(gil, name)
                    table[thread.id] = table.get(thread.id, 0) + int(sums[number])
                    gil.exact = False


def _long_holds(trace: Trace, image_index: int) -> list[tuple[Frame, Frame, int]]:
    image = trace.images[image_index]
    sums: dict[tuple[str, str], list[int]] = {}
    example: dict[tuple[str, str], tuple[Frame, Frame]] = {}
    most: dict[tuple[str, str], int] = {}
    for index in np.flatnonzero(image.stacks["hold_ns"]).tolist():
        frames = trace.stacks[image_index][index + 1]
        own = own_frame(frames)
        if own is None:
            continue
        key = (own.file, own.function)
        ns = int(image.stacks["hold_ns"][index])
        sums.setdefault(key, []).append(ns)
        if ns > most.get(key, 0):
            most[key], example[key] = ns, (frames[0], own)
    return sorted(((*example[key], sum(ns)) for key, ns in sums.items()), key=lambda one: -one[2])
