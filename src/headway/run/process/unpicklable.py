"""Where in an object the thing lies that cannot be pickled."""

from __future__ import annotations

from headway.errors import CannotSend

__all__ = ["cannot_send"]


def cannot_send(thing: object, name: str, error: BaseException) -> CannotSend:
    """The error for something that cannot be sent.

    Args:
        thing: What was to be sent.
        name: What the path to the bad part begins with.
        error: What pickling it raised.
    """
    made = CannotSend(f"{name}: {error}")
    made.path = name
    return made
