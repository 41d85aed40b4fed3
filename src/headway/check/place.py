"""What units meet at: locks, conditions, events, queues; each knows its name and where it was made."""

from __future__ import annotations

import _thread
import os
import sys
from types import CodeType, FrameType
from typing import Any

from headway.check.names import Made, line_of, name_of

__all__ = ["Place", "outside", "short"]

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_STANDARD = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_making = _thread.RLock()
"""Held while a real thing is made: a real lock, taken before anything is doubled."""


class Place:
    """One of those; made where a program makes a lock."""

    __slots__ = ("__weakref__", "_made", "_made_inside", "_real", "inner")
    noun = "lock"

    def __init__(self) -> None:
        frame: FrameType | None = sys._getframe(2)
        assert frame is not None
        library: FrameType | None = None
        while frame is not None and _is_inner(frame.f_code):
            if library is None and not frame.f_code.co_filename.startswith(_OURS):
                library = frame
            frame = frame.f_back
        # Where the program made it, or called the library that made it for itself.
        self._made: Made | None = None if frame is None else (frame.f_code, frame.f_lasti)
        self._made_inside: Made | None = None if library is None else (library.f_code, library.f_lasti)
        self.inner = library is not None
        """Is it a part of something else, as the conditions of a queue?"""
        self._real: Any = None

    def _outside(self) -> Any:
        """The real thing, for who uses this outside an execution; the same one for all threads."""
        if self._real is None:
            with _making:
                if self._real is None:
                    self._real = self._make_real()
        return self._real

    def _make_real(self) -> Any:
        raise NotImplementedError

    @property
    def described(self) -> str:
        """Such as `lock (bank.py:14)`."""
        return f"{self.noun} ({self.made_at})" if self._made is not None else self.noun

    @property
    def made_at(self) -> str:
        """Such as `bank.py:14`; empty if it is not known."""
        if self._made is None:
            return ""
        return f"{short(self._made[0].co_filename)}:{line_of(self._made)}"

    @property
    def name(self) -> str:
        """The variable or attribute that it is assigned to where it is made; empty if that cannot be seen."""
        return name_of(self._made, self._made_inside)

    @property
    def held_by(self) -> object:
        """The unit that has it; None where nobody can."""
        return None


_inner: dict[str, bool] = {}
"""By file: to find a code object in a dictionary takes as long as to compare it."""


def _is_inner(code: CodeType) -> bool:
    file = code.co_filename
    known = _inner.get(file)
    if known is None:
        known = _inner[file] = not is_program(file)
    return known


def is_program(file: str) -> bool:
    """Is this file the program's, and neither Python's own nor ours?"""
    if file.startswith((_OURS, "<frozen")):
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
