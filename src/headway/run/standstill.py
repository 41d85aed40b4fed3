"""Notices when a coroutine reads results by a plain `for`, and by that stops its event loop.

It is not refused: a notebook runs each cell inside of a task, and a plain `for` is what people write there. It is told
once for a reading, and only if something of the loop was due meanwhile and could not be done.
"""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from types import FrameType
from typing import TYPE_CHECKING, Any

from headway.errors import HeadwayWarning

if TYPE_CHECKING:
    import asyncio

__all__ = ["Standstill"]

LONG_NS = 100_000_000
"""A standstill is told when it is as long as what asyncio calls slow in its debug mode."""

_COROUTINE = 0x80 | 0x200
"""CO_COROUTINE and CO_ASYNC_GENERATOR: https://docs.python.org/3/library/inspect.html#inspect.CO_COROUTINE"""


class Standstill:
    """How long one reading has kept an event loop from running."""

    def __init__(self) -> None:
        self._blocked_ns = 0
        self._look_ns = LONG_NS
        self._mark: asyncio.Handle | None = None
        self._told = False

    def begin(self) -> int:
        """Before something that may take long: when that is, or 0 if no loop runs in this thread."""
        events = sys.modules.get("asyncio.events")
        if self._told or events is None or events._get_running_loop() is None:
            return 0
        return time.monotonic_ns()

    def end(self, began_ns: int) -> None:
        """After it, in the frame of the generator that is read."""
        if self._told or not began_ns:
            return
        from asyncio import get_running_loop

        loop = get_running_loop()
        if self._mark is None:
            # It runs when the loop does, so it tells one long standstill from many short ones.
            self._blocked_ns, self._look_ns = 0, LONG_NS
            self._mark = loop.call_soon(self._ran)
        self._blocked_ns += time.monotonic_ns() - began_ns
        if self._blocked_ns >= self._look_ns:
            self._look_ns = self._blocked_ns + LONG_NS
            self._tell(loop, self._mark)

    def _ran(self) -> None:
        self._mark = None

    def _tell(self, loop: asyncio.AbstractEventLoop, mark: asyncio.Handle) -> None:
        frame = _coroutine(sys._getframe(3))
        if frame is None or "ipykernel" in sys.modules:
            self._told = True
        elif _is_due(loop, mark):
            self._told = True
            warnings.warn_explicit(
                HeadwayWarning(
                    f"{frame.f_code.co_name} reads results by `for`: its event loop stood still for "
                    f"{self._blocked_ns / 1e9:.1f} s, and other tasks waited for it\n"
                    "hint: async for, or a thread of its own with asyncio.to_thread"
                ),
                None,
                frame.f_code.co_filename,
                frame.f_lineno,
                frame.f_globals.get("__name__"),
                frame.f_globals.setdefault("__warningregistry__", {}),
            )


def _coroutine(frame: FrameType | None) -> FrameType | None:
    """The frame that reads, if it is that of an `async def`; not of a cell of a notebook, which awaits in a module."""
    while frame is not None and (frame.f_code.co_name == "<genexpr>" or frame.f_code.co_name == "__next__"):
        frame = frame.f_back
    if frame is None or not frame.f_code.co_flags & _COROUTINE or frame.f_code.co_name == "<module>":
        return None
    return frame


def _is_due(loop: Any, mark: asyncio.Handle) -> bool:
    """Whether the loop has something to do. Of loops that are not asyncio's own it is not known, and so not told."""
    with contextlib.suppress(Exception):
        if any(handle is not mark and not handle.cancelled() for handle in list(loop._ready)):
            return True
        now_s = loop.time()
        if any(handle.when() <= now_s and not handle.cancelled() for handle in loop._scheduled):
            return True
        # To look takes nothing away: what is ready stays so. The loop's own socket also tells of signals.
        return any(key.fileobj is not loop._ssock for key, _ in loop._selector.select(0))
    return False
