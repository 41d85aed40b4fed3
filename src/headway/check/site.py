"""Sites: the places in rewritten source code that are points."""

from typing import Any

STRUCTURE = "*"
"""The name of a container as a whole: which keys or how many items it has. It overlaps every name of its owner."""


class Site:
    """One place in rewritten source code where a unit may be switched.

    Made once for each file, text and granularity in a process, so that identity is stable across explorations.

    Attributes:
        file: Path of the source file.
        line: Line, from 1.
        function: Qualified name of the function that the place is in.
        kind: "attribute", "item", "method", "global", "cell", "iteration", "membership", "truth", "length" or "line".
        name: `x` of `obj.x`, the name of a global or closure variable, of a method or built-in; else "".
        text: The source line, stripped.
        write: May the access write? Methods of containers decide at each call.
        augmented: Is this the read or the write of an augmented assignment?
        shared: Is what is accessed here shared by several units? None: not known yet. The visitor's own.
        private_of: A type whose objects have a variable of their own here, which is not shared; the rewriting's own.
        nobody_of: A type for whose objects this is no access to a variable; the rewriting's own.
        index: Number in the file, the same in each process for the same source text.
        decided: What the access is for each type of object seen in this run; the rewriting's own.
    """

    __slots__ = (
        "augmented",
        "decided",
        "file",
        "function",
        "index",
        "kind",
        "line",
        "name",
        "nobody_of",
        "private_of",
        "shared",
        "text",
        "write",
    )

    def __init__(
        self,
        file: str,
        line: int,
        function: str,
        kind: str,
        name: str = "",
        *,
        text: str = "",
        write: bool = False,
        augmented: bool = False,
        index: int = 0,
    ) -> None:
        self.file = file
        self.line = line
        self.function = function
        self.kind = kind
        self.name = name
        self.text = text
        self.write = write
        self.augmented = augmented
        self.shared: bool | None = None
        self.private_of: type | None = None
        self.nobody_of: type | None = None
        self.index = index
        self.decided: dict[type, Any] = {}

    def __repr__(self) -> str:
        access = "write" if self.write else "read"
        return f"<site {self.index} {self.file}:{self.line} {access} of {self.kind} {self.name}>"
