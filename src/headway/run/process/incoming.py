"""What a worker answered, as values and exceptions."""

from __future__ import annotations

from typing import Any

from headway.errors import CannotSend
from headway.run.process.answers import ERROR, PORTION_HEAD, SIMPLE
from headway.run.process.failure import unpack_failure
from headway.run.process.payload import Segments, load, load_here, skip

__all__ = ["outcomes"]


def outcomes(body: memoryview, fds: list[int]) -> tuple[list[Any], dict[int, BaseException]]:
    """The values of a portion, and its exceptions by their place."""
    count, flags, failed, _, _, _ = PORTION_HEAD.unpack_from(body)
    offset = PORTION_HEAD.size
    errors: dict[int, BaseException] = {}
    for _ in range(failed):
        place, size = ERROR.unpack_from(body, offset)
        offset += ERROR.size
        errors[place] = unpack_failure(body[offset : offset + size])
        offset += size
    if flags & SIMPLE and not fds:
        return load_here(body, offset), errors
    segments = Segments(fds)
    try:
        if flags & SIMPLE:
            return load(body, offset, segments)[0], errors
        values: list[Any] = []
        for place in range(count):
            try:
                values.append(load(body, offset, segments)[0])
            except BaseException as error:  # its unpickling runs code of others
                values.append(None)
                errors[place] = _cannot_receive(error)
            offset = skip(body, offset)
        return values, errors
    finally:
        segments.close()


def _cannot_receive(error: BaseException) -> CannotSend:
    made = CannotSend(
        f"result: a worker sent it, but it cannot be unpickled here: {type(error).__name__}: {error}",
        hint="return something whose type can be imported in this process",
    )
    made.path = "result"
    made.__cause__ = error
    return made
