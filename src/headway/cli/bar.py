"""How far `headway map` is, shown on stderr where that is a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

__all__ = ["Bar"]

_EVERY_S = 0.1


class Bar:
    """A line that is rewritten in place, and gone when it is closed.

    Args:
        wanted: None shows it unless stdout is a terminal, too, where it would be among the results.
        label: Stands before it.
    """

    def __init__(self, wanted: bool | None, label: str) -> None:
        self._progress: Any = None
        self._shown_s = 0.0
        if sys.stderr is None or not sys.stderr.isatty():
            return
        # Among results on the same terminal it must make room for them.
        self._among = sys.stdout.isatty()
        if wanted is None:
            wanted = not self._among
        if wanted:
            self._open(label)

    def _open(self, label: str) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(),
            TextColumn(
                "{task.description}  {task.fields[done]:,} done, {task.fields[failed]:,} failed", markup=False
            ),
            TimeElapsedColumn(),
            console=Console(file=sys.stderr),
            transient=True,
            # What the function prints goes where it says, not to the console.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task(label, total=None, done=0, failed=0)
        self._progress.start()

    def show(self, done: int, failed: int) -> None:
        """Say how many calls have ended, and how many of them failed."""
        if self._progress is None:
            return
        now_s = time.monotonic()
        if now_s - self._shown_s >= _EVERY_S:
            self._shown_s = now_s
            self._progress.update(self._task, done=done, failed=failed)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Make room on the terminal for what is written meanwhile."""
        if self._progress is None or not self._among:
            yield
            return
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def close(self) -> None:
        """Take it away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
