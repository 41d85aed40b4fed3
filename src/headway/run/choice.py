"""Which backend a stage uses: the one that was asked for, or whatever an `Auto` finds best."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from headway.run.backends.contract import Backend
from headway.run.batch import Portion

__all__ = ["AHEAD", "Choice", "Fixed"]

AHEAD = 4
"""Batches for each worker that a stage may have out: given to the backend, or done and not yet read."""


class Choice(Protocol):
    """Which backend a stage uses; may change its mind."""

    backend: Backend
    ahead: int
    """Batches for each worker that may be out."""

    def learn(self, portion: Portion, remaining: int | None) -> None:
        """Take in what calls cost; may replace `backend`."""

    def begun(self, portion: Portion) -> list[int]:
        """The places of values that are coroutines, and are to be awaited on what is `backend` then."""

    def form(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """What to give to the backend for a function."""

    def rescue(self, error: BaseException) -> bool:
        """Whether a call is to run again, on what is `backend` then: it was never begun, it could not be sent."""

    def expect_no_more(self) -> None:
        """The input has ended: tell what is `backend` now, if it is here for this alone."""

    def close(self, *, wait: bool, abort: bool) -> None:
        """Close each backend that it has opened."""

    def why(self) -> list[str]:
        """The reasons for its choices, in order."""


class Fixed:
    """The backend that was asked for.

    Args:
        backend: It.
        owned: Whether it is to be closed with the flow.
    """

    def __init__(self, backend: Backend, *, owned: bool) -> None:
        self.backend = backend
        self.ahead = AHEAD
        self._owned = owned

    def learn(self, portion: Portion, remaining: int | None) -> None:
        """Nothing to choose."""

    def begun(self, portion: Portion) -> list[int]:
        """What was asked for gives what the function returns."""
        return []

    def form(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is."""
        return fn

    def rescue(self, error: BaseException) -> bool:
        """What was asked for is kept."""
        return False

    def expect_no_more(self) -> None:
        """Tell the backend, if it is ours."""
        if self._owned:
            self.backend.expect_no_more()

    def close(self, *, wait: bool, abort: bool) -> None:
        """Close the backend, if it is ours."""
        if self._owned:
            self.backend.close(wait=wait, abort=abort)

    def why(self) -> list[str]:
        """That it was asked for."""
        return [f"on={self.backend.name!r} was asked for"]
