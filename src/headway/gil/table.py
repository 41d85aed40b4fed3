"""What was measured, in a terminal: the verdict first, then a table for each interpreter."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from headway.gil.measurement import Measurement, Series

__all__ = ["lines", "verdict"]

_LABELS = 30
_WORDS = {
    "at once": "threads run Python code at once on",
    "one at a time": "one thread at a time runs Python code on",
    "in part": "threads run Python code at once in part on",
    "unknown": "the machine was too busy, or has too few cores, to tell of",
}


def lines(found: Sequence[Measurement], failed: Sequence[str], cores: int) -> Iterator[str]:
    """The lines of the report.

    Args:
        found: What was measured.
        failed: What could not be, a sentence each.
        cores: That this process may use.
    """
    yield from textwrap.wrap(verdict(found), 80, break_long_words=False)
    if found:
        yield ""
        yield f"speed-up by the number of threads or processes, {cores} core{'s'[: cores != 1]}; 1.00 is one of them"
    for each in found:
        yield ""
        yield f"{each.name}, {each.gil}"
        yield f"  {_short(each.path)}{_interval(each)}"
        yield f"{'':{_LABELS}}" + "".join(f"{count:>7}" for count in each.python.workers) + "   cores used"
        yield _row("Python code on threads", each.python)
        yield _row("GIL-free code on threads", each.native)
        if each.processes is not None:
            yield _row("Python code in processes", each.processes)
    if failed:
        yield ""
        yield "not measured:"
        for sentence in failed:
            yield f"  {sentence}"


def verdict(found: Sequence[Measurement]) -> str:
    """One sentence."""
    parts = []
    for kind, words in _WORDS.items():
        names = [f"{each.name} ({each.python.best:.2f})" for each in found if each.runs == kind]
        if names:
            parts.append(f"{words} {', '.join(names)}")
    text = "; ".join(parts) or "no interpreter could be measured"
    return text[0].upper() + text[1:]


def _row(label: str, series: Series) -> str:
    used = series.cores_used[-1]
    cells = "".join(f"{speedup:>7.2f}" for speedup in series.speedup)
    return f"  {label:{_LABELS - 2}}{cells}" + ("" if used is None else f"   {used:>10.2f}")


def _interval(each: Measurement) -> str:
    seconds = each.facts["switch_interval_s"]
    return "" if seconds is None or not each.facts["gil"] else f", switch interval {seconds * 1e3:g} ms"


def _short(path: Path) -> str:
    home = os.path.expanduser("~")
    return f"~{str(path)[len(home) :]}" if str(path).startswith(home + os.sep) else str(path)
