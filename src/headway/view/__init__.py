"""A trace as a page: the timeline of every unit, to look at in a browser. One file, which loads nothing."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write"]


def write(trace_dir: Path, file: Path) -> Path:
    """Write the page of a trace, readable by its owner alone.

    Args:
        trace_dir: A directory that `headway trace` recorded.
        file: Where to. What is there is replaced once the page is whole.
    Returns:
        The file.
    Raises:
        TraceNotFound, TraceUnreadable, TraceTooNew: The trace cannot be read; nothing was written.
        UsageError: The file cannot be written.

    Cost: about 1.5 s and 150 MB for a million intervals.
    """
    from headway.view.document import document
    from headway.view.files import write_private
    from headway.view.sheet import sheet

    write_private(file, sheet(document(trace_dir)))
    return file
