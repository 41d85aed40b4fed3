"""Places in code: the stacks that a page tells of, each frame and each text once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.trace.model import Trace
from headway.trace.stacks import Frame, short_path


class Places:
    """Numbers the stacks that are asked for, from 1 on; 0 is none."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._texts: dict[str, int] = {}
        self._frames: dict[Frame, int] = {}
        self._stacks: dict[tuple[Frame, ...], int] = {(): 0}
        self._tables: dict[int, NDArray[np.uint32]] = {}

    def of(self, image_index: int, stacks: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Number stacks of an image, given by their ids there."""
        table = self._tables.get(image_index)
        if table is None:
            # one more, which stays 0, for ids that the file does not have
            size = len(self._trace.images[image_index].stacks) + 2
            table = self._tables[image_index] = np.zeros(size, np.uint32)
        at = np.minimum(stacks, len(table) - 1)
        used = np.flatnonzero(np.bincount(at, minlength=len(table)))
        for stack in used[(table[used] == 0) & (used > 0)].tolist():
            table[stack] = self.number(self._trace.stacks[image_index][stack])
        found: NDArray[np.uint32] = table[at]
        return found

    def number(self, stack: tuple[Frame, ...]) -> int:
        """The number of a stack, innermost frame first."""
        for frame in stack:
            self._frames.setdefault(frame, len(self._frames))
        return self._stacks.setdefault(stack, len(self._stacks))

    def tables(self) -> dict[str, Any]:
        """What the numbers mean.

        Returns:
            `files`, each its full path and a short one; `functions`; `frames`, each [file, line, function, whether it
            is a library's]; `stacks`, each a list of frames, innermost first.
        """
        cwd = self._trace.meta.cwd
        files: dict[str, int] = {}
        functions: dict[str, int] = {}
        frames = [
            [
                files.setdefault(frame.file, len(files)),
                frame.line,
                functions.setdefault(frame.function, len(functions)),
                int(frame.of_library),
            ]
            for frame in self._frames
        ]
        return {
            "files": [[file, short_path(file, cwd)] for file in files],
            "functions": list(functions),
            "frames": frames,
            "stacks": [[self._frames[frame] for frame in stack] for stack in self._stacks],
        }
