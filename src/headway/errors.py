"""Every exception that headway raises on purpose: one tree, and each survives pickle with its hint."""

import types

TYPE_CHECKING = False  # that of `typing`, which `import headway` does without
if TYPE_CHECKING:
    from collections.abc import Mapping


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


class CallError(HeadwayError):
    """A call that was given to headway failed for a reason other than an exception of its own."""

    exit_status = 1


class WorkerDied(CallError):
    """The worker process died while it ran this call. The other calls, and the pool, go on.

    Attributes:
        exit_code: Its exit code; None if a signal killed it.
        signal: The signal that killed it; None if it exited.
        fault: What faulthandler wrote as it died; empty if nothing.
    """

    exit_code: int | None = None
    signal: int | None = None
    fault: str = ""


class TimedOut(CallError, TimeoutError):
    """Something did not happen in time; what was waited for, and what is lost, is in the message."""


class CannotSend(CallError):
    """An argument or a result cannot go from one process to another.

    Attributes:
        path: Where in it the thing lies that cannot be pickled, such as `args[0].cache._lock`.
    """

    path: str = ""


class RemoteError(CallError):
    """A call raised an exception that cannot be carried to this process. Its type and traceback are in the message."""


class InitializerFailed(CallError):
    """The initializer raised in a worker, so no call can run there."""


class MissingExtra(HeadwayError, ImportError):
    """A backend needs a package that is not installed; the hint installs it."""

    exit_status = 2


class ChannelClosed(HeadwayError):
    """The channel is closed: nothing more can be sent, or nothing is left to receive."""


class WouldBlock(HeadwayError):
    """Something cannot be done without waiting, and was asked for without; nothing has changed."""


class Cancelled(CallError):
    """The scope around this was cancelled, and so is what waited in it, or was to run in it."""


class CheckError(HeadwayError):
    """A scenario could not be explored."""


class CannotControl(CheckError):
    """The scenario does something that check cannot schedule, such as waiting for a real socket."""


class ReplayDiverged(CheckError):
    """The program did not follow the schedule that was to be replayed."""

    exit_status = 4


class ScheduleFailure(HeadwayError, AssertionError):
    """A schedule was found under which the scenario fails.

    Attributes:
        token: Replays it: `headway.replay(scenario, token)`.
        kind: `exception`, `deadlock`, `lost-wakeup` or `livelock`.
        report: What happened, and the schedule as a table; the message without the line that replays it.
        details: The same as data that fits into JSON; its `steps` are the schedule.
    """

    exit_status = 1
    token: str = ""
    kind: str = ""
    report: str = ""
    details: "Mapping[str, object]" = types.MappingProxyType({})


class FindingsFound(HeadwayError, AssertionError):
    """A block that was recorded has findings; the message tells each.

    Attributes:
        kinds: Of each finding its kind: `leaked`, `loop-blocked`, `deadlock`.
        where: `path:line` of the places concerned.
    """

    exit_status = 1
    kinds: tuple[str, ...] = ()
    where: tuple[str, ...] = ()


class HeadwayWarning(UserWarning):
    """Something works, but probably not as it was meant; the text says why, and what to do."""
