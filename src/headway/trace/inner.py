"""What runs on threads in turn, tasks, greenlets and jobs: what their entries in a process file say alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headway.trace.format import InnerFlag, InnerKind, Ints, Kind
from headway.trace.image import ProcessImage
from headway.trace.interval import KINDS, LOOP, QUEUED, RUNNING, UNKNOWN
from headway.trace.states import make_add_up

if TYPE_CHECKING:
    from headway.trace.model import Job, Task, Thread, Trace

READY = {InnerKind.TASK: LOOP, InnerKind.GREENLET: LOOP, InnerKind.JOB: QUEUED}
"""Why a unit of each kind is ready."""


def numbers(image: ProcessImage, *kinds: InnerKind, many: bool) -> list[int]:
    """The entries of units of some kinds: each by itself, or those that stand for many."""
    inner = image.inner
    of_many = inner["flags"] & InnerFlag.MANY != 0
    found: list[int] = np.flatnonzero(
        (inner["ready"] != 0) & np.isin(inner["kind"], kinds) & (of_many == many)
    ).tolist()
    return found


def outcome(flags: InnerFlag) -> str:
    """How one ended: `done`, `failed`, `cancelled` or `dropped`."""
    for flag in (InnerFlag.DROPPED, InnerFlag.FAILED, InnerFlag.CANCELLED):
        if flags & flag:
            return str(flag.name).lower()
    return "done"


def closed(entry: Any, image: ProcessImage) -> Ints:
    """Its closed intervals by kind."""
    totals = np.zeros(KINDS, np.int64)
    totals[: Kind.BURST] = entry["total_ns"].astype(np.int64)
    ready_ns, totals[UNKNOWN] = int(totals[Kind.NONE]), 0
    totals[READY[InnerKind(int(entry["kind"]))]] = ready_ns
    if not image.running_known:
        totals[RUNNING] = totals[Kind.PYTHON] + totals[Kind.NATIVE]
        totals[Kind.PYTHON] = totals[Kind.NATIVE] = 0
    return totals


def totals(entry: Any, image: ProcessImage, end_ns: int) -> Ints:
    """Totals with its last state; they add up to its life."""
    totals = closed(entry, image)
    start, since, state = int(entry["created_ns"]), int(entry["since_ns"]), int(entry["state"])
    open_ns = max(0, end_ns - since) if since and not int(entry["end_ns"]) else 0
    if state == Kind.NONE:
        totals[READY[InnerKind(int(entry["kind"]))]] += open_ns
    elif Kind.LOCK <= state <= Kind.OTHER:
        totals[state] += open_ns
    elif open_ns:
        kind, known_ns = _of_carrier(entry, image, end_ns)
        totals[kind] += min(known_ns, open_ns)
        totals[RUNNING] += open_ns - min(known_ns, open_ns)
    make_add_up(totals, end_ns - start)
    return totals


def _of_carrier(entry: Any, image: ProcessImage, end_ns: int) -> tuple[int, int]:
    """Of one that has its thread: what the thread does, and for how long. What it did before is not known."""
    carrier = int(entry["carrier"])
    if carrier >= len(image.threads) or not image.threads["ready"][carrier]:
        return RUNNING, 0
    slot = image.threads[carrier]
    kind = int(slot["kind"])
    if not Kind.LOCK <= kind <= Kind.OTHER or int(slot["end_ns"]):
        return RUNNING, 0
    return kind, max(end_ns - int(slot["since_ns"]), 0)


def link(trace: Trace, units: list[Task] | list[Job]) -> None:
    """Set parents and carriers: by id, once all units have theirs."""
    for unit in units:
        entry = trace.images[unit.image_index].inner[unit.number]
        ran_at: tuple[int, int] = getattr(unit, "run", None) or (unit.image_index, unit.number)
        ran = trace.images[ran_at[0]].inner[ran_at[1]]
        maker: Task | Job | Thread | None = trace.inner(unit.image_index, int(entry["parent"]))
        if maker is None or maker is unit:
            maker = trace.thread(unit.image_index, int(entry["creator"]))
        carrier = trace.thread(ran_at[0], int(ran["carrier"]))
        unit.parent = maker.id if maker is not None else unit.process
        unit.carrier = carrier.id if carrier is not None else None
