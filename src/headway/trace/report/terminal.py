"""The report in a terminal: calm, readable at 80 columns, in a pipe and without colour."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from headway.trace.figures import digits, duration
from headway.trace.findings import Finding
from headway.trace.format import Flag
from headway.trace.report import loops, pools, tables
from headway.trace.report.contents import Contents, gather, outcome, python_image
from headway.units import Severity

_LEAST_COLUMNS = 60
_MOST_COLUMNS = 160
_SEVERITY = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold"}


def write_text(trace_dir: Path, stream: TextIO, *, width: int | None = None) -> None:
    """Write the report of a trace as text; see `report.write`."""
    columns = columns_of(stream, width)
    lane_columns = columns - tables.NAME_COLUMNS - 4
    contents = gather(trace_dir, lane_columns=lane_columns)
    console = print_lines(_lines(contents, columns), stream, columns)
    # a command to copy is never cut
    command = f"headway report {shlex.quote(str(trace_dir))} --json"
    console.print(Text("next: ", "dim") + Text(command, "bold"), soft_wrap=True)


def columns_of(stream: TextIO, width: int | None = None) -> int:
    """How wide to write: as asked for, or as the terminal is; within reason."""
    return max(_LEAST_COLUMNS, min(width or _columns_of(stream), _MOST_COLUMNS))


def print_lines(lines: Iterable[Text], stream: TextIO, columns: int) -> Console:
    """Write lines, with colour if the stream is a terminal that may have it."""
    console = Console(file=stream, width=columns, highlight=False, markup=False, emoji=False, soft_wrap=False)
    for line in lines:
        # a table may need more than the columns there are; it is never wrapped, its last column is cut
        console.print(line, overflow="ellipsis", no_wrap=True, crop=True)
    return console


def _columns_of(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError, AttributeError):
        asked = os.environ.get("COLUMNS", "")
        return int(asked) if asked.isdigit() and int(asked) > 0 else 80


def _lines(contents: Contents, columns: int) -> Iterable[Text]:
    worst = min((list(Severity).index(f.severity) for f in contents.findings), default=None)
    style = "bold" if worst is None else _SEVERITY[list(Severity)[worst]]
    yield from wrapped(contents.verdict, columns, style=style, hang=0)
    yield Text()
    yield from _facts(contents, columns)
    sections = (
        ("units", tables.units(contents, columns)),
        ("time", tables.lanes(contents, columns)),
        ("tasks", loops.tasks(contents, columns)),
        ("greenlets", loops.greenlets(contents, columns)),
        ("jobs", pools.jobs(contents, columns)),
        ("gil", tables.gil(contents, columns)),
        ("locks", tables.locks(contents, columns)),
        ("waits", tables.waits(contents, columns)),
        ("findings", _findings(contents, columns)),
        ("notes", _notes(contents, columns)),
    )
    for title, body in sections:
        lines = list(body)
        if lines:
            yield Text()
            yield Text(f"{tables.TITLES[title]} ", "bold") + Text(
                "─" * (columns - len(tables.TITLES[title]) - 1), "dim"
            )
            yield from lines
    yield Text()


def wrapped(text: str, columns: int, *, style: str = "", first: str = "", hang: int = 2) -> Iterable[Text]:
    """Lines of a paragraph: `first` before the first line, `hang` spaces before the others."""
    import textwrap

    lines = textwrap.wrap(
        first + text, columns, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False
    )
    for line in lines:
        yield Text(line, style)


def _facts(contents: Contents, columns: int) -> Iterable[Text]:
    trace = contents.trace
    image = python_image(trace)
    cores = f" of {trace.meta.cores}" if trace.meta.cores else ""
    gil = {True: "with the GIL", False: "without a GIL", None: "(GIL not seen)"}
    python = "no Python seen"
    if image is not None and image.python:
        name = image.python if image.flags & Flag.PYPY else f"Python {image.python}"
        python = f"{name} {gil[image.gil]}"
    facts = [
        ("wall", duration(trace.wall_ns)),
        ("cpu", duration(round(trace.cpu_s * 1e9))),
        ("cores used", f"{digits(trace.cores_used)}{cores}"),
        ("", python),
        ("", outcome(trace)),
    ]
    line = Text()
    for label, value in facts:
        piece = Text(f"{label} " if label else "", "dim") + Text(value)
        if line and line.cell_len + 3 + piece.cell_len > columns:
            yield line
            line = Text()
        line = line + Text("   ") + piece if line else piece
    yield line
    if trace.meta.command:
        yield Text(tables.cut(shlex.join(trace.meta.command), columns), "dim")


def _findings(contents: Contents, columns: int) -> Iterable[Text]:
    for number, finding in enumerate(contents.findings):
        if number:
            yield Text()
        yield from finding_lines(finding, columns)


def finding_lines(finding: Finding, columns: int, lead: str = "") -> Iterable[Text]:
    """A finding: its sentence, the evidence and the advice."""
    style = _SEVERITY[finding.severity]
    first, *rest = wrapped(finding.sentence, columns, first=f"{lead}{finding.kind}: ")
    first.stylize(style, len(lead), len(lead) + len(finding.kind.value) + 1)
    yield from (first, *rest)
    for sentence in finding.evidence:
        yield from wrapped(sentence, columns, first="  - ", hang=4)
    yield from wrapped(finding.advice, columns, first="  hint: ", hang=8)


def _notes(contents: Contents, columns: int) -> Iterable[Text]:
    for note in contents.notes:
        yield from wrapped(note, columns, style="dim", first="- ")
