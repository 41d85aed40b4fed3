"""Silence: what a scenario prints would come once for each schedule."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator

__all__ = ["silence"]


class _Nothing(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)

    def writable(self) -> bool:
        return True


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """What Python code writes to stdout and stderr goes nowhere, and `breakpoint()` stops nobody."""
    nothing = _Nothing()
    before, sys.breakpointhook = sys.breakpointhook, lambda *_, **__: None
    try:
        with contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
            yield
    finally:
        sys.breakpointhook = before
