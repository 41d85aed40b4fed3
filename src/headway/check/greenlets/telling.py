"""Tells whoever watches an execution which greenlet runs, and where each waits."""

from __future__ import annotations

import os
from types import FrameType
from typing import TYPE_CHECKING, Any

from headway.check.place import is_program

if TYPE_CHECKING:
    from headway.check.asynchronous.units import LoopUnit
    from headway.check.greenlets.loop import GreenletLoop
    from headway.check.watcher import Watcher

__all__ = ["begins", "is_scenario", "place_of", "tell"]

_GEVENT = f"{os.sep}gevent{os.sep}"


def is_scenario(file: str) -> bool:
    """Is this file the program's, and not gevent's?"""
    return is_program(file) and _GEVENT not in file


def place_of(frame: FrameType | None) -> tuple[str, int]:
    """File and line of the program that a greenlet waits at."""
    while frame is not None:
        if is_scenario(frame.f_code.co_filename):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return "", 0


def begins(greenlet: Any) -> tuple[str, int]:
    """File and line of the function that a greenlet is to run, if it is the program's."""
    run = getattr(greenlet, "_run", None) or getattr(greenlet, "run", None)  # gevent's own, and others
    code = getattr(run, "__code__", None)
    if code is None or not is_scenario(code.co_filename):
        return "", 0
    return code.co_filename, code.co_firstlineno


def tell(loop: GreenletLoop, hub: Any, ends: tuple[Any, Any]) -> None:
    """A greenlet has switched to another."""
    execution, carrier = loop.execution, loop.carrier
    watcher = execution.watcher
    if watcher is None or execution.running is not carrier:
        return
    origin, target = ends
    unit = loop.known(origin)
    if unit is not None and target is hub:
        carrier.inner_unit = None
        watcher.acquired(carrier, loop)  # what it did before it came to the hub is done
        unit.steps += 1  # its turn is over: what it does next is a part of the next one
        if not origin.dead:
            _announce(watcher, unit, "switch", place_of(origin.gr_frame))
        elif not unit.done:
            unit.done = True
            _announce(watcher, unit, "run", loop.begun.get(unit.number, ("", 0)))
            watcher.ended(unit)
        unit.steps -= 1  # the loop will count it
    carrier.inner_unit = loop.known(target)


def _announce(watcher: Watcher, unit: LoopUnit, kind: str, at: tuple[str, int]) -> None:
    unit.kind, unit.owner, unit.at = kind, None, at
    watcher.announced(unit)
    unit.at = None
