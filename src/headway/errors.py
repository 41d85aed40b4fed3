"""Every exception that headway raises on purpose: one tree, and each survives pickle with its hint."""


class HeadwayError(Exception):
    """Something went wrong that headway can name.

    Args:
        message: What happened, with names and values, and why if that is known.
        hint: What the reader can do about it.
    """

    exit_status = 3
    """What the command line exits with."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        # invariant: args is (message,) and hint lies in __dict__; BaseException's own pickling then keeps
        # both.
        super().__init__(message)
        self.hint = hint

    @property
    def message(self) -> str:
        """What happened, without the hint."""
        return str(self.args[0])

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class UsageError(HeadwayError):
    """Headway was called wrongly; nothing was run and nothing was written."""

    exit_status = 2


class CannotObserve(HeadwayError):
    """Headway cannot trace here: no library, no place to write, or the system forbids it."""


class TraceNotFound(HeadwayError):
    """The directory holds no trace, or does not exist."""

    exit_status = 2


class TraceUnreadable(HeadwayError):
    """The trace is there but damaged, or its files may not be read."""


class TraceTooNew(HeadwayError):
    """The trace was written by a newer headway, in a format that this one does not know."""
