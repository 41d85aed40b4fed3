"""The calls of `headway map` that failed: counted, and the first of each type kept."""

from __future__ import annotations

import os
import traceback
from typing import NamedTuple

import headway

__all__ = ["Failures", "shorten", "trace_of"]

_SHOWN = 3
_SHOWN_TYPES = 10
_LONGEST_INPUT, _LONGEST_MESSAGE = 40, 200
_OURS = os.path.dirname(headway.__file__) + os.sep


class _Failure(NamedTuple):
    where: str
    line: bytes
    error: BaseException


class Failures:
    """Collects failures in little memory, however many there are."""

    def __init__(self) -> None:
        self.count = 0
        self._counts: dict[str, int] = {}
        self._first: dict[str, list[_Failure]] = {}

    def add(self, where: str, line: bytes, error: BaseException) -> None:
        """Take one in.

        Args:
            where: The line, for people.
            line: The line itself.
            error: What the call raised.
        """
        self.count += 1
        kind = _kind(error)
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if len(kept := self._first.setdefault(kind, [])) < _SHOWN:
            # Without its frames, which would keep the function's data alive; the text is all that is needed.
            kept.append(_Failure(where, line[: _LONGEST_INPUT + 1], error))

    def report(self, calls: int, name: str, *, details: bool) -> str:
        """Say how many failed, of what and where.

        Args:
            calls: How many have ended.
            name: Of the function.
            details: Whether to say more than how many.
        """
        lines = [f"{self.count:,} of {calls:,} calls of {name} failed"]
        kinds = sorted(self._counts, key=lambda kind: -self._counts[kind]) if details else []
        for kind in kinds[:_SHOWN_TYPES]:
            lines.append(f"  {kind} ({self._counts[kind]:,})")
            for where, line, error in self._first[kind]:
                lines.append(f"    {where}, {shorten(line)}: {_message(error)}{_place(error)}")
            if self._counts[kind] > _SHOWN:
                lines.append("    ...")
        if len(kinds) > _SHOWN_TYPES:
            lines.append(f"  and {len(kinds) - _SHOWN_TYPES} other types")
        return "\n".join(lines) + "\n"


def trace_of(error: BaseException) -> str:
    """The traceback of a failure, from the function's own frame on."""
    at = error.__traceback__
    while at is not None and at.tb_frame.f_code.co_filename.startswith(_OURS):
        at = at.tb_next
    return "".join(traceback.format_exception(type(error), error, at))


def _kind(error: BaseException) -> str:
    kind = type(error)
    return (
        kind.__qualname__
        if kind.__module__ in ("builtins", "headway.errors")
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def shorten(line: bytes) -> str:
    """A line for people, on one line."""
    text = line[:_LONGEST_INPUT].decode("utf-8", "surrogateescape")
    return repr(text) + ("..." if len(line) > _LONGEST_INPUT else "")


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as why:
        text = f"(no message: {type(why).__name__})"
    text = text.partition("\n")[0] or "(no message)"
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}..."


def _place(error: BaseException) -> str:
    """Where in the program it was raised, if that is known here."""
    place, at = "", error.__traceback__
    while at is not None:
        file = at.tb_frame.f_code.co_filename
        if not file.startswith((_OURS, "<")):
            place = f" ({os.path.relpath(file)}:{at.tb_lineno})"
        at = at.tb_next
    return place
