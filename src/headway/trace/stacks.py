"""Python stacks: resolves the ids that records carry to frames."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from headway.trace.image import ProcessImage

_LIBRARY = re.compile(
    r"^<frozen |^<string>$|/python3\.\d+t?/(?!site-packages/|dist-packages/)|/headway/(trace|run|check)/"
    r"|/(?:site|dist)-packages/gevent/"
)
_INNER = re.compile(r"(\.<locals>\.<(listcomp|setcomp|dictcomp|genexpr|lambda)>)+$")
_PACKAGES = re.compile(r".*/(?:site|dist)-packages/")
_STDLIB = re.compile(r".*/python3\.\d+t?/")


@dataclass(frozen=True, slots=True)
class Frame:
    """One place in a stack."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.function}"

    @property
    def where(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def owner(self) -> str:
        """The function as people name it: a comprehension or lambda by the function that it stands in."""
        return _INNER.sub("", self.function)

    @property
    def of_library(self) -> bool:
        """Whether it is of the standard library, or of gevent in its place, and not of the program or a package."""
        return _LIBRARY.search(self.file) is not None


class Stacks:
    """The stacks of one process image; an id is an index plus one, as in records, and 0 is none."""

    def __init__(self, image: ProcessImage) -> None:
        self._image = image
        self._known: dict[int, tuple[Frame, ...]] = {0: ()}

    def __getitem__(self, stack: int) -> tuple[Frame, ...]:
        """Frames of a stack, innermost first; empty if it is not known."""
        found = self._known.get(stack)
        if found is None:
            found = self._known[stack] = self._resolve(stack - 1)
        return found

    def frame(self, number: int) -> Frame | None:
        """A frame by itself, its number plus one; None for none."""
        if not 0 < number <= len(self._image.frames) or not self._image.frames["ready"][number - 1]:
            return None
        entry = self._image.frames[number - 1]
        return Frame(self._text(int(entry["file"])), int(entry["line"]), self._text(int(entry["name"])))

    def text(self, number: int) -> str:
        """A text by itself, its offset plus one; empty for none."""
        return self._text(number - 1) if number > 0 else ""

    def _resolve(self, index: int) -> tuple[Frame, ...]:
        image = self._image
        if not 0 <= index < len(image.stacks) or not image.stacks["ready"][index]:
            return ()
        first, depth = int(image.stacks["first"][index]), int(image.stacks["depth"][index])
        frames = []
        for link in image.links[first : first + depth].tolist():
            if link >= len(image.frames) or not image.frames["ready"][link]:
                break
            entry = image.frames[link]
            frames.append(
                Frame(self._text(int(entry["file"])), int(entry["line"]), self._text(int(entry["name"])))
            )
        return tuple(frames)

    def _text(self, offset: int) -> str:
        text = self._image.text
        if offset >= len(text):
            return "?"
        end = text.find(b"\0", offset)
        return text[offset : end if end >= 0 else None].decode("utf-8", "replace") or "?"


def own_frame(frames: tuple[Frame, ...]) -> Frame | None:
    """The innermost frame that is not the standard library's; else the innermost; None for no stack."""
    for frame in frames:
        if not frame.of_library:
            return frame
    return frames[0] if frames else None


def short_path(path: str, cwd: str) -> str:
    """A path as people want to read it: relative to `cwd`, to site-packages or to the standard library."""
    if cwd and path.startswith(cwd.rstrip("/") + "/"):
        return path[len(cwd.rstrip("/")) + 1 :]
    for pattern in (_PACKAGES, _STDLIB):
        if found := pattern.match(path):
            return path[found.end() :]
    if cwd and os.path.isabs(path):
        relative = os.path.relpath(path, cwd)
        if len(relative) < len(path) and relative.count("..") <= 2:
            return relative
    return path
