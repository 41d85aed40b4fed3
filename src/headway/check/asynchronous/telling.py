"""Tells whoever watches an execution what each task does: where it gives way, and that it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.check.asynchronous.waits import waits_now

if TYPE_CHECKING:
    from headway.check.asynchronous.units import LoopUnit
    from headway.check.watcher import Watcher

__all__ = ["gives_way", "goes_on"]


def goes_on(unit: LoopUnit, watcher: Watcher) -> None:
    """What a task waited for has come, or the task is cancelled."""
    if unit.task is None or unit.kind not in ("wait", "join"):
        return
    awaited = getattr(unit.task, "_fut_waiter", None)
    if awaited is not None and awaited.done() and not awaited.cancelled():
        watcher.acquired(unit, unit.owner)


def gives_way(unit: LoopUnit, units: list[LoopUnit], watcher: Watcher) -> None:
    """A task has run until its next `await` that waits."""
    task = unit.task
    if task is None or unit.done:
        return
    if task.done():
        unit.done = True
        watcher.ended(unit)
        return
    waiting = waits_now(unit, units)
    if waiting.kind == "acquire" and unit.kind == "acquire" and waiting.thing is unit.owner:
        return  # it has said so itself
    unit.kind, unit.owner = waiting.kind, waiting.thing
    unit.at = (waiting.file, waiting.line)
    watcher.announced(unit)
    unit.at = None
