"""The hook: what rewritten code calls before each shared access."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from headway.check.site import Site

if TYPE_CHECKING:
    from headway.check.execution import Execution

Visit = Callable[[Site, object, Hashable, bool], None]


class Hook:
    """Where rewritten code tells that it is at a point; does nothing until a scheduler sets `visit`.

    Attributes:
        visit: Called as `visit(site, owner, name, write)` before the access happens, from any thread; it decides
            itself whether the calling thread is under control. The variable is `(owner, name)`, with owners compared by
            identity. The name is an attribute's, a key or index, "" for a closure cell, or `STRUCTURE` for a container
            as a whole, which overlaps every name of that owner. At granularity "line" it is `visit(site, None, "",
            False)`. None: nothing is explored, and the access just happens.
        plain: The execution that runs, if nobody needs to be told of accesses to what is not shared: each of them is a
            step of the running unit, and no more. What a search does most.
    """

    __slots__ = ("plain", "visit")

    def __init__(self) -> None:
        self.visit: Visit | None = None
        self.plain: Execution | None = None


hook = Hook()
