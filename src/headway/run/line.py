"""A function that takes and gives lines of text, for `headway map`.

Worker processes import it, so it imports little.
"""

from __future__ import annotations

import functools
import json
from types import CoroutineType
from typing import Any

from headway.errors import UsageError
from headway.target import Target

__all__ = ["AsyncLineCall", "Line", "LineCall"]

Line = tuple[int, bytes]
"""A line's number in the whole input, from 1, and the line without its end."""


class LineCall(functools.partial[Any]):
    """Reads a line as arguments, calls the function, and writes its result as a line: in the worker, all three.

    It is a partial so that whoever chooses a backend looks at the function in it. It travels as the name of its
    function, so a file that cannot be imported by name is loaded again where it arrives. Text is UTF-8; bytes that are
    not come through unharmed (PEP 383).

    Args:
        fn: The function of `target`.
    """

    target: Target
    json: bool
    """Whether lines are JSON values, in and out."""
    star: bool
    """Whether an array is all positional arguments, an object all keyword arguments."""

    @classmethod
    def open(cls, target: Target, json: bool, star: bool) -> LineCall:
        """Load the function.

        Raises:
            UsageError: It cannot be had.
        """
        made = cls(target.load())
        made.target, made.json, made.star = target, json, star
        made.__dict__["__qualname__"] = made._name
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).open, (self.target, self.json, self.star)

    def __call__(self, line: Line) -> bytes | None:
        """Call the function. None writes nothing."""
        args, kwargs = self._arguments(line[1])
        value = self.func(*args, **kwargs)
        if isinstance(value, CoroutineType):
            value.close()
            raise UsageError("the function returned a coroutine", hint="--on asyncio")
        return self._text(value)

    @staticmethod
    def _shown(line: Line) -> str:
        """The line as it was typed, for messages that name a call."""
        return line[1].decode("utf-8", "surrogateescape")

    @property
    def _name(self) -> str:
        return f"{self.target.module}:{self.target.function}"

    def _arguments(self, line: bytes) -> tuple[list[Any], dict[str, Any]]:
        text = line.decode("utf-8", "surrogateescape")
        if not self.json:
            return [text], {}
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from None
        if not self.star:
            return [value], {}
        if isinstance(value, dict):
            return [], value
        if isinstance(value, list):
            return value, {}
        raise ValueError(f"with --star a line is an array or an object, not {value!r}")

    def _text(self, value: Any) -> bytes | None:
        if self.json:
            # NaN would be no JSON. A string of a line that was no UTF-8 can only be written in escapes.
            try:
                return json.dumps(value, allow_nan=False, ensure_ascii=False).encode() + b"\n"
            except UnicodeEncodeError:
                return json.dumps(value, allow_nan=False).encode() + b"\n"
            except (TypeError, ValueError) as error:
                kind = type(value).__name__
                raise ValueError(f"the result is no JSON: {self._name} returned {kind}: {error}") from None
        if value is None:
            return None
        if isinstance(value, bytes):
            return value + b"\n"
        return str(value).encode("utf-8", "surrogateescape") + b"\n"


class AsyncLineCall(LineCall):
    """The same for a coroutine function."""

    async def __call__(self, line: Line) -> bytes | None:  # type: ignore[override]
        """Call the function and wait for it."""
        args, kwargs = self._arguments(line[1])
        outcome = self.func(*args, **kwargs)
        if not hasattr(outcome, "__await__"):
            raise UsageError(
                f"the function returned {type(outcome).__name__}, which cannot be awaited",
                hint="--on asyncio is for coroutine functions",
            )
        return self._text(await outcome)
