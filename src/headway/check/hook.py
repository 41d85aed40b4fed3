"""The hook: what rewritten code calls before each shared access."""

from collections.abc import Callable, Hashable

from headway.check.site import Site

Visit = Callable[[Site, object, Hashable, bool], None]


class Hook:
    """Where rewritten code tells that it is at a point; does nothing until a scheduler sets `visit`.

    Attributes:
        visit: Called as `visit(site, owner, name, write)` before the access happens, from any thread; it decides
            itself whether the calling thread is under control. The variable is `(owner, name)`, with owners compared by
            identity. The name is an attribute's, a key or index, "" for a closure cell, or `STRUCTURE` for a container
            as a whole, which overlaps every name of that owner. At granularity "line" it is `visit(site, None, "",
            False)`. None: nothing is explored, and the access just happens.
    """

    __slots__ = ("visit",)

    def __init__(self) -> None:
        self.visit: Visit | None = None


hook = Hook()
