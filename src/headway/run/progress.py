"""How far it is: a bar on a terminal, or a function that is told."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Told", "open_progress"]

Told = Callable[[int, int | None], None]
"""Is told how many results were read, and of how many, None if that is unknown."""

_EVERY_S = 0.1


def open_progress(progress: bool | str | Told, label: str) -> Told | None:
    """What is to be told of results that are read.

    Args:
        progress: As for `headway.map`.
        label: Stands before the bar, if `progress` does not say another.
    Returns:
        None if nobody wants to know: also where stderr is no terminal.
    """
    if callable(progress):
        return progress
    if not progress or sys.stderr is None or not sys.stderr.isatty():
        return None
    return _Bar(progress if isinstance(progress, str) else label)


class _Bar:
    """A bar on stderr, made when the first result is there, and left as it is after the last."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: Any = None
        self._task: Any = None
        self._shown_s = 0.0
        self._count = -1

    def __call__(self, count: int, total: int | None) -> None:
        now_s = time.monotonic()
        ended = count in (total, self._count)
        self._count = count
        if self._bar is None:
            if ended:
                return
            self._open(total)
        elif not ended and now_s - self._shown_s < _EVERY_S:
            return
        self._shown_s = now_s
        self._bar.update(self._task, completed=count, total=total)
        if ended:
            self._bar.stop()
            self._bar = None

    def _open(self, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            redirect_stdout=False,  # what the program prints is its own, and goes where it went
            redirect_stderr=False,
        )
        self._task = self._bar.add_task(self._label, total=total)
        self._bar.start()
