"""The backends of an executor that chooses among several, as a map or another executor has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from headway.run.backends.contract import Backend, Setup
from headway.run.backends.lent import Lent
from headway.run.opened import Opened

if TYPE_CHECKING:
    import asyncio

__all__ = ["Loans"]


class Loans(Opened):
    """Backends that belong to an executor. Closing these ends what came through here, no more.

    Args:
        lend: Gives a backend of the executor by its name.
        workers: As the executor's user asked for.
        setup: Of the executor's workers.
        timeout_s: For calls that have no time limit of their own.
        loop: As for `Opened`.
    """

    def __init__(
        self,
        lend: Callable[[str], Backend],
        workers: int | None,
        setup: Setup,
        *,
        timeout_s: float | None,
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        super().__init__(workers, setup, awaited=True, loop=loop)
        self._lend = lend
        self._timeout_s = timeout_s

    def _open(self, name: str) -> Backend:
        if name == "asyncio" and self._loop is not None:
            return super()._open(name)  # a loop that is there already is no one's to lend
        return Lent(self._lend(name), self._timeout_s, resizes=True)
