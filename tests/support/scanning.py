"""What a scan of a trace gives, all at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from headway.trace.model import Thread, Trace


class Collect:
    """Consumer: all intervals of each thread."""

    def __init__(self) -> None:
        self.blocks: dict[int, list[Any]] = {}

    def add(self, thread: Thread, rows: Any) -> None:
        self.blocks.setdefault(thread.id, []).append(rows)

    def of(self, thread: Thread) -> Any:
        return np.concatenate(self.blocks[thread.id])


def timeline(trace: Trace, thread: Thread) -> Any:
    collect = Collect()
    trace.scan(collect, threads=[thread])
    return collect.of(thread)
