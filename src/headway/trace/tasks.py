"""Tasks of asyncio, and greenlets: their lives, their exact totals, and the crowds of those not told one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.trace.format import NOBODY, InnerFlag, InnerKind, Ints, Kind
from headway.trace.image import ProcessImage
from headway.trace.inner import closed, numbers, outcome, totals
from headway.trace.interval import KINDS
from headway.trace.stacks import Frame, Stacks, own_frame
from headway.trace.unit import Unit
from headway.units import UnitKind

if TYPE_CHECKING:
    from headway.trace.model import Process, Trace


_KINDS = {InnerKind.TASK: UnitKind.TASK, InnerKind.GREENLET: UnitKind.GREENLET}
_FLAGS = 255
_OF_THREAD = InnerFlag.HUB | InnerFlag.MAIN


@dataclass(slots=True, kw_only=True)
class Task(Unit):
    """A task or a greenlet: entry `number` of `image`, which is image `image_index` of the trace.

    While it has its event loop, or its thread, its state is what that thread does: one that calls `time.sleep` sleeps.

    Attributes:
        carrier: Id of the thread that ran it last; None if it never ran.
        role: Of a greenlet, `hub` (it is gevent's event loop in its thread), `main` (the thread began with it) or None.
        coroutine: The first line of what it runs; None if that is not Python.
        created: The stack of its maker, innermost first.
        outcome: `done`, `failed`, `cancelled`, `dropped` (thrown away before it had ended, some time before
            `end_ns`), or None: it had not ended by itself.
        seen_late: What it did before `start_ns` is not known.
        destroyed: It was dropped at `end_ns` while it waited, and asyncio has said so.
        steps: How often it was given its loop.
        loop_ns, longest_ns: How long it had it: all steps, and the longest.
        stack: Of one that had not ended, or was destroyed: its coroutines where it waits, or waited last, innermost
            first.
        awaits: Entry of the task that it waits for, when it waits for one.
        waits_for: Kind of the wait that had not ended; None: there is none.
        since_ns: When its last state began.
    """

    carrier: int | None
    role: str | None
    image_index: int
    number: int
    coroutine: Frame | None
    created: tuple[Frame, ...]
    outcome: str | None
    seen_late: bool
    destroyed: bool
    steps: int
    loop_ns: int
    longest_ns: int
    stack: tuple[Frame, ...]
    awaits: int | None
    waits_for: Kind | None
    since_ns: int

    @property
    def created_at(self) -> Frame | None:
        """The program's own line that made it."""
        return own_frame(self.created)


@dataclass(slots=True)
class Crowd:
    """Tasks, or greenlets, that run the same function: those that are told one by one, and those that are not.

    Attributes:
        count, alive, failed, cancelled: How many of them; `alive`: had not ended by themselves.
        totals: ns by kind, as `states.Life.totals`, of all; of those not told one by one that are alive, without
            their last state.
    """

    process: int
    kind: UnitKind
    name: str
    coroutine: Frame | None
    count: int
    alive: int
    failed: int
    cancelled: int
    steps: int
    loop_ns: int
    longest_ns: int
    totals: Ints


def tasks_of(
    process: Process, image_index: int, image: ProcessImage, stacks: Stacks, end_ns: int, *, ended: bool
) -> Iterator[Task]:
    """The tasks and greenlets of an image that are told one by one, in order of creation; without ids and links."""
    for number in numbers(image, *_KINDS, many=False):
        entry = image.inner[number]
        flags = InnerFlag(int(entry["flags"]) & _FLAGS)
        own_end = int(entry["end_ns"])
        start = int(entry["created_ns"])
        carrier_end = _carrier_end(entry, image)
        end = max(own_end or carrier_end or end_ns, start)
        coroutine = stacks.frame(int(entry["code"]))
        waits = Kind.LOCK <= int(entry["state"]) <= Kind.OTHER and not own_end
        yield Task(
            id=0,
            kind=_KINDS[InnerKind(int(entry["kind"]))],
            name=stacks.text(int(entry["name"])) or _short(coroutine),
            parent=None,
            process=process.id,
            pid=process.pid,
            start_ns=start,
            end_ns=end,
            ended=bool(own_end or carrier_end) or ended,
            totals=totals(entry, image, end),
            carrier=None,
            role="hub" if flags & InnerFlag.HUB else "main" if flags & InnerFlag.MAIN else None,
            image_index=image_index,
            number=number,
            coroutine=coroutine,
            created=stacks[int(entry["create_stack"])],
            outcome=outcome(flags) if own_end and not flags & _OF_THREAD else None,
            seen_late=bool(flags & InnerFlag.LATE),
            destroyed=bool(flags & InnerFlag.DESTROYED),
            steps=int(entry["steps"]),
            loop_ns=int(entry["loop_ns"]),
            longest_ns=int(entry["longest_ns"]),
            stack=stacks[int(entry["stack"])] if not own_end or flags & InnerFlag.DESTROYED else (),
            awaits=int(entry["on"]) if waits and int(entry["on"]) != NOBODY else None,
            waits_for=Kind(int(entry["state"])) if waits else None,
            since_ns=int(entry["since_ns"]),
        )


def crowds_of(trace: Trace) -> list[Crowd]:
    """All tasks and greenlets by process, kind and function: those first that had their loop for longest.

    Hubs and the greenlets that threads begin with are not among them.
    """
    found: dict[tuple[int, UnitKind, object], Crowd] = {}
    for task in trace.tasks:
        if task.role is not None:
            continue
        crowd = _crowd(found, task.process, task.kind, task.coroutine, task.name)
        crowd.count += 1
        crowd.alive += task.outcome is None
        crowd.failed += task.outcome == "failed"
        crowd.cancelled += task.outcome == "cancelled"
        _add(crowd, task.steps, task.loop_ns, task.longest_ns, task.totals)
    for process in trace.processes:
        for index in process.images:
            image, stacks = trace.images[index], trace.stacks[index]
            for number in numbers(image, *_KINDS, many=True):
                entry = image.inner[number]
                coroutine = stacks.frame(int(entry["code"]))
                crowd = _crowd(
                    found, process.id, _KINDS[InnerKind(int(entry["kind"]))], coroutine, _short(coroutine)
                )
                for name, of in (
                    ("count", "count"),
                    ("alive", "live"),
                    ("failed", "failed"),
                    ("cancelled", "cancelled"),
                ):
                    setattr(crowd, name, getattr(crowd, name) + int(entry[of]))
                steps, loop_ns, longest_ns = (int(entry[name]) for name in ("steps", "loop_ns", "longest_ns"))
                _add(crowd, steps, loop_ns, longest_ns, closed(entry, image))
    return sorted(found.values(), key=lambda crowd: (-crowd.loop_ns, crowd.process, crowd.name))


def name_of_entry(trace: Trace, image_index: int, number: int) -> tuple[int | None, str]:
    """Id of the task in an entry, and what to call it; no id for one of many."""
    task = trace.task(image_index, number)
    if task is not None and task.role == "main":
        return task.id, f"the main greenlet of `{trace.unit(task.carrier or task.process).name}`"
    if task is not None:
        return task.id, f"{task.kind} `{task.name}`"
    image = trace.images[image_index]
    if number >= len(image.inner):
        return None, "a task"
    kind = _KINDS[InnerKind(int(image.inner[number]["kind"]))]
    return None, f"a {kind} of `{_short(trace.stacks[image_index].frame(int(image.inner[number]['code'])))}`"


def _carrier_end(entry: Any, image: ProcessImage) -> int:
    """When the thread of a greenlet ended, which it cannot outlive; 0: it had not, or that is not known."""
    carrier = int(entry["carrier"])
    of_thread = int(entry["kind"]) == InnerKind.GREENLET and carrier < len(image.threads)
    return int(image.threads[carrier]["end_ns"]) if of_thread else 0


def _short(coroutine: Frame | None) -> str:
    return coroutine.function if coroutine is not None else "?"


def _crowd(
    found: dict[tuple[int, UnitKind, object], Crowd],
    process: int,
    kind: UnitKind,
    coroutine: Frame | None,
    name: str,
) -> Crowd:
    key = (process, kind, coroutine if coroutine is not None else name)
    if key not in found:
        name = coroutine.function if coroutine is not None else name
        found[key] = Crowd(process, kind, name, coroutine, 0, 0, 0, 0, 0, 0, 0, np.zeros(KINDS, np.int64))
    return found[key]


def _add(crowd: Crowd, steps: int, loop_ns: int, longest_ns: int, totals: Ints) -> None:
    crowd.steps += steps
    crowd.loop_ns += loop_ns
    crowd.longest_ns = max(crowd.longest_ns, longest_ns)
    crowd.totals += totals
