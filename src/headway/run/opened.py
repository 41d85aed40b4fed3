"""The backends that were opened so far, for `on="auto"`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.run.backends.contract import Backend, Setup
from headway.run.backends.ending import abandon_at_exit
from headway.run.backends.open import open_backend

if TYPE_CHECKING:
    import asyncio

__all__ = ["Opened"]


class Opened:
    """The backends that were opened so far, shared by all who choose among them.

    Args:
        workers: What the user asked for; None leaves it to the backend.
        setup: Of the workers.
        awaited: Whether what they were given is done before the program ends, though nobody reads it.
        loop: The event loop in which coroutines run; None is one in a thread of its own.
    """

    def __init__(
        self,
        workers: int | None,
        setup: Setup,
        *,
        awaited: bool,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.workers = workers
        self._loop = loop
        self._setup = setup
        self._awaited = awaited
        self._backends: dict[str, Backend] = {}

    def get(self, name: str) -> Backend:
        """The backend of this name."""
        if name not in self._backends:
            self._backends[name] = self._open(name)
            if not self._awaited:
                abandon_at_exit(self._backends[name])
        return self._backends[name]

    def there(self, name: str) -> bool:
        """Whether the backend of this name is open."""
        return name in self._backends

    def _open(self, name: str) -> Backend:
        if name == "asyncio" and self._loop is not None:
            from headway.run.backends.event_loop import Asyncio

            return Asyncio(self.workers, self._setup, loop=self._loop)
        return open_backend(name, self.workers, self._setup)

    def close(self, *, wait: bool, abort: bool) -> None:
        """Close all."""
        for backend in self._backends.values():
            backend.close(wait=wait, abort=abort)
