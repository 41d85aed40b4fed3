"""Tells whoever watches an execution which greenlet runs, and where each waits."""

from __future__ import annotations

import os
from types import FrameType
from typing import TYPE_CHECKING, Any

from headway.check.place import is_program

if TYPE_CHECKING:
    from headway.check.greenlets.loop import GreenletLoop

__all__ = ["is_scenario", "place_of", "tell"]

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
        if origin.dead:
            if not unit.done:
                unit.done = True
                watcher.ended(unit)
        else:
            unit.kind, unit.owner, unit.at = "switch", None, place_of(origin.gr_frame)
            watcher.announced(unit)
            unit.at = None
    carrier.inner_unit = loop.known(target)
