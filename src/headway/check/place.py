"""What units meet at: locks, conditions, events, queues; each knows its name and where it was made."""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType

from headway.check.names import Made, line_of, name_of

__all__ = ["Place", "outside", "short"]

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_STANDARD = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


class Place:
    """One of those; made where a program makes a lock."""

    __slots__ = ("__weakref__", "_made", "inner")
    noun = "lock"

    def __init__(self) -> None:
        frame: FrameType | None = sys._getframe(2)
        assert frame is not None
        self.inner = _is_inner(frame.f_code)
        """Is it a part of something else, as the conditions of a queue?"""
        while frame is not None and _is_inner(frame.f_code):
            frame = frame.f_back
        self._made = (frame.f_code, frame.f_lineno) if frame is not None else None

    @property
    def described(self) -> str:
        """Such as `lock (bank.py:14)`."""
        if self._made is None:
            return self.noun
        code, line = self._made
        return f"{self.noun} ({short(code.co_filename)}:{line})"

    @property
    def held_by(self) -> object:
        """The unit that has it; None where nobody can."""
        return None

    def __repr__(self) -> str:
        return f"<headway's {type(self).__name__} in place of threading's, {self.described}>"


_inner: dict[CodeType, bool] = {}


def _is_inner(code: CodeType) -> bool:
    known = _inner.get(code)
    if known is None:
        known = _inner[code] = not is_program(code.co_filename)
    return known


def is_program(file: str) -> bool:
    """Is this file the program's, and neither Python's own nor ours?"""
    if file.startswith(_OURS) or file.startswith("<frozen"):
        return False
    return not file.startswith(_STANDARD) or "site-packages" in file or "dist-packages" in file


def outside(frame: FrameType | None) -> FrameType | None:
    """The nearest frame of the program."""
    while frame is not None and _is_inner(frame.f_code):
        frame = frame.f_back
    return frame


def short(file: str) -> str:
    """A path as people name it: from the current directory, if it lies there."""
    relative = os.path.relpath(file) if os.path.isabs(file) else file
    return file if relative.startswith("..") else relative
