"""What ends a scope before its calls do, and what leaving it raises."""

from __future__ import annotations

from typing import Any, Literal

from headway.errors import Cancelled, TimedOut
from headway.run.rawlock import raw_lock
from headway.run.scoped.job import Job

__all__ = ["Cause", "Ending", "Policy"]

Policy = Literal["all", "first", "gather"]
Cause = Literal["failure", "winner", "body", "deadline", "asked", "outside"]
"""Why a scope was cancelled: the first thing that did it."""


class Ending:
    """How the calls of a scope have ended so far, and what follows from that.

    Args:
        policy: See `headway.scope`.
        deadline_s: For the message.
    """

    def __init__(self, policy: Policy, deadline_s: float | None) -> None:
        self.policy = policy
        self.cause: Cause | None = None
        self.winner: Job[Any] | None = None
        self.started = 0
        self._deadline_s = deadline_s
        self._lock = raw_lock()
        self._failures: list[BaseException] = []

    def begin(self, cause: Cause) -> bool:
        """Cancel for a cause; False if there was one before."""
        with self._lock:
            if self.cause is not None:
                return False
            self.cause = cause
            return True

    def note(self, job: Job[Any], error: BaseException | None) -> Cause | None:
        """Take in how a call ended.

        Returns:
            What the scope must be cancelled for, if it must.
        """
        with self._lock:
            if isinstance(error, Cancelled) and self.cause is not None:
                return None
            if error is not None:
                self._failures.append(error)
                return "failure" if self.policy == "all" else None
            if self.policy != "first" or self.winner is not None or self.cause is not None:
                return None
            self.winner = job
            return "winner"

    def raises(self, body: BaseException | None) -> BaseException | None:
        """What leaving the scope raises, after all calls have ended.

        Args:
            body: What the body raised.
        """
        if isinstance(body, (KeyboardInterrupt, SystemExit, GeneratorExit)):
            return body  # not for this scope to hold up
        failures = list(self._failures)
        if self.policy == "gather" or self.winner is not None:
            failures = []
        errors: list[BaseException] = []
        if self.cause == "deadline":
            errors.append(TimedOut(f"the scope was cancelled: it was not done within {self._deadline_s} s"))
        # What the body got from a wait that this scope cancelled, or from a call that failed, is no news.
        told = isinstance(body, Cancelled) and self.cause not in (None, "body", "outside")
        if isinstance(body, Exception) and not told and not any(body is failure for failure in failures):
            errors.append(body)
        if failures:
            return BaseExceptionGroup(
                f"{len(failures)} of {self.started} calls of the scope failed", [*errors, *failures]
            )
        if body is not None and not isinstance(body, Exception):
            return body  # the cancellation of the task around, which has waited for the calls
        if len(errors) > 1:
            return BaseExceptionGroup("the scope's deadline passed, and its body failed", errors)
        if errors:
            return errors[0]
        return Cancelled("the scope around this scope was cancelled") if self.cause == "outside" else None
