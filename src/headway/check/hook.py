"""The hook: what rewritten code calls before each shared access."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from headway.check.site import Site

if TYPE_CHECKING:
    from headway.check.execution import Execution

Visit = Callable[[Site, object, Hashable, bool], None]


class _Nobody:
    """No execution: no thread is this one's."""

    ident = 0


NOBODY: Any = _Nobody()
"""As `Hook.plain`, so that who asks for the thread need not ask first whether there is one."""


class Hook:
    """Where rewritten code tells that it is at a point; does nothing until an exploration begins.

    Attributes:
        visit: Called as `visit(site, owner, name, write)` before the access happens, from any thread; it decides
            itself whether the calling thread is under control. The variable is `(owner, name)`, with owners compared by
            identity. The name is an attribute's, a key or index, "" for a closure cell, or `STRUCTURE` for a container
            as a whole, which overlaps every name of that owner. At granularity "line" it is `visit(site, None, "",
            False)`. None: nothing is explored, and the access just happens.
        plain: The execution that runs, if nobody needs to be told of accesses to what is not shared, nor of who has
            which lock. Else `NOBODY`.
        private: The same, for accesses to what is not shared (`Site.private_of`): each is a step of the running unit,
            and no more. What a search does most.
        solo: No execution of this exploration has had more than one unit that runs by itself, such as a thread. Until
            one has, nothing is shared at all.
        sites: All of this exploration.
    """

    __slots__ = ("plain", "private", "sites", "solo", "visit")

    def __init__(self) -> None:
        self.visit: Visit | None = None
        self.plain: Execution = NOBODY
        self.private: Execution = NOBODY
        self.solo = False
        self.sites: Sequence[Site] = ()

    def begin(self, visit: Visit, sites: Sequence[Site]) -> None:
        """An exploration begins."""
        for site in sites:
            site.shared = site.private_of = None
        self.sites = sites
        self.solo = True
        self.visit = visit

    def several(self) -> None:
        """From now on there are several units."""
        self.solo = False
        self.private = self.plain
        for site in self.sites:
            site.private_of = None

    def end(self) -> None:
        """It is over."""
        self.visit = None
        self.solo = False
        self.sites = ()


hook = Hook()
