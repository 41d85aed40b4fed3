"""What the timeline says of tasks and greenlets: long steps, what the thread did in them, and long waits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from headway.trace.format import NOBODY, InnerKind, Ints, Kind, Records
from headway.trace.interval import KINDS, Intervals
from headway.trace.model import Thread, Trace
from headway.trace.stacks import Frame
from headway.units import UnitKind

WAITS = 20
"""How many waits are kept: the longest."""


@dataclass(slots=True)
class LongStep:
    """A step that kept its event loop for 10 ms or more.

    Attributes:
        task: Number of the entry in its image.
        late: How many other tasks stood in line when the loop had next looked for what had come.
        gave_way: Where the task stood when it let go of the loop, innermost first; empty if it had ended then.
        delay_ns: How long the thread stood in line for a core, as the kernel says: also on its way out of calls
            that block. It may have begun some ms before the step, and so be too much.
        did: ns that the loop's thread spent in each kind meanwhile, shape (KINDS,), int64.
        places: ns by kind and stack of those stretches whose stack is known.
    """

    thread: Thread
    task: int
    start_ns: int
    end_ns: int
    late: int
    gave_way: tuple[Frame, ...]
    delay_ns: int
    did: Ints
    places: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def ns(self) -> int:
        """How long it took."""
        return self.end_ns - self.start_ns


@dataclass(slots=True)
class TaskWait:
    """One long wait of task `task` of an image. `end_ns` None: it had not ended."""

    image_index: int
    task: int
    kind: Kind
    start_ns: int
    end_ns: int | None
    on: int | None
    woken_by: int | None
    frames: tuple[Frame, ...]


@dataclass(slots=True)
class Steps:
    """Of all loops of a trace.

    Attributes:
        latest_ns, latest_greenlet_ns: How late a step of a task, and of a greenlet, came at most, by id of the loop's
            thread.
    """

    long: list[LongStep]
    waits: list[TaskWait]
    latest_ns: dict[int, int]
    latest_greenlet_ns: dict[int, int] = field(default_factory=dict)


def steps_of(trace: Trace) -> Steps:
    """Read the records of tasks; once for a trace."""
    if trace.steps is not None:
        return trace.steps
    trace.steps = steps = Steps([], [], {})
    for thread in trace.threads:
        if not len(thread.image.inner):
            continue
        mine: list[LongStep] = []
        for block in thread.image.records(thread.number):
            kinds = block["dur_kind"] & 0xFF
            if (kinds >= Kind.STEP).any():
                _take(trace, thread, block, kinds, mine, steps)
        if mine:
            # Records come by their end.
            mine.sort(key=lambda step: step.start_ns)
            trace.scan(_Inside(mine), threads=[thread])
            steps.long += mine
    return steps


def _take(
    trace: Trace,
    thread: Thread,
    block: Records,
    kinds: Ints,
    mine: list[LongStep],
    steps: Steps,
) -> None:
    stacks = trace.stacks[thread.image_index]
    for record in block[kinds == Kind.LONG]:
        start = int(record["start_ns"])
        mine.append(
            LongStep(
                thread,
                int(record["a"]),
                start,
                start + (int(record["dur_kind"]) >> 8),
                int(record["c"]),
                stacks[int(record["b"])],
                1000 * int(record["d"]),
                np.zeros(KINDS, np.int64),
            )
        )
    late = block[kinds == Kind.STEP]
    of_greenlets = thread.image.inner["kind"][late["a"]] == InnerKind.GREENLET
    for of, ready in (
        (steps.latest_ns, late["c"][~of_greenlets]),
        (steps.latest_greenlet_ns, late["c"][of_greenlets]),
    ):
        if latest := int(ready.max(initial=0)):
            of[thread.id] = max(latest, of.get(thread.id, 0))
    waited = block[kinds == Kind.WAITED]
    if len(waited) > WAITS:
        waited = waited[np.argpartition(waited["dur_kind"], -WAITS)[-WAITS:]]
    for record in waited:
        start, by = int(record["start_ns"]), int(record["d"])
        steps.waits.append(
            TaskWait(
                thread.image_index,
                int(record["a"]),
                Kind(by >> 24) if Kind.LOCK <= by >> 24 <= Kind.OTHER else Kind.OTHER,
                start,
                start + (int(record["dur_kind"]) >> 8),
                int(record["c"]) if int(record["c"]) != NOBODY else None,
                (by & 0xFFFFFF) - 1 if by & 0xFFFFFF else None,
                stacks[int(record["b"])],
            )
        )
    steps.waits.sort(key=lambda wait: wait.start_ns - (wait.end_ns or 0))
    del steps.waits[WAITS:]


def open_waits(trace: Trace) -> list[TaskWait]:
    """Waits of tasks and greenlets that had not ended and are for something known, the longest ones, longest first."""
    waits = [
        TaskWait(
            task.image_index,
            task.number,
            task.waits_for,
            task.since_ns,
            None,
            task.awaits,
            None,
            task.stack,
        )
        for task in trace.tasks
        if task.waits_for is not None
        and not (task.kind is UnitKind.GREENLET and task.waits_for is Kind.OTHER)
    ]
    return sorted(waits, key=lambda wait: wait.start_ns)[:WAITS]


class _Inside:
    """Consumer: what the thread did in each of some steps, which are in order and do not overlap."""

    def __init__(self, steps: list[LongStep]) -> None:
        self._steps = steps

    def add(self, thread: Thread, rows: Intervals) -> None:
        if not len(rows):
            return
        first, last = int(rows["start_ns"][0]), int(rows["end_ns"][-1])
        for step in self._steps:
            if step.end_ns <= first or step.start_ns >= last:
                continue
            lo = int(np.searchsorted(rows["end_ns"], step.start_ns, "right"))
            hi = int(np.searchsorted(rows["start_ns"], step.end_ns, "left"))
            some = rows[lo:hi]
            ns = np.minimum(some["end_ns"], step.end_ns) - np.maximum(some["start_ns"], step.start_ns)
            np.add.at(step.did, some["kind"], ns)
            # A stretch of Python says where it ended: that counts only where it ended in the step.
            inside = (some["b"] != 0) & (some["end_ns"] <= step.end_ns) & (some["kind"] != Kind.GIL)
            for kind, stack, one in zip(some["kind"][inside], some["b"][inside], ns[inside], strict=True):
                key = (int(kind), int(stack))
                step.places[key] = step.places.get(key, 0) + int(one)
