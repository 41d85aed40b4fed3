"""`headway report`: what a trace says."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import click

from headway.errors import TraceNotFound

_HOME = ".headway"


@click.command(name="report")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write the JSON document instead of text.")
def report(directory: Path | None, as_json: bool) -> None:
    """Say what a trace shows: the verdict first, then the evidence.

    DIR is a directory that `headway trace` recorded; without it, the newest one under ./.headway.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # see headway.cli.trace
    from headway.trace.report import write

    write(directory or newest_trace(Path.cwd()), sys.stdout, json=as_json)


def newest_trace(where: Path) -> Path:
    """The trace with the highest number under `.headway` of a directory.

    Raises:
        TraceNotFound: There is none.
    """
    found = [
        (int(number[1]), path)
        for path in (where / _HOME).glob("trace-*")
        if (number := re.fullmatch(r"trace-(\d+)", path.name)) and path.is_dir()
    ]
    if not found:
        raise TraceNotFound(
            f"{where / _HOME}: no trace here",
            hint="record one: headway trace script.py, or name its directory",
        )
    return max(found)[1]
