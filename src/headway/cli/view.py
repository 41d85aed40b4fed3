"""`headway view`: a trace as a page, to look at in a browser."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

import click

from headway.cli.report import newest_trace


@click.command(name="view")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the page to this file, and open nothing.",
)
def view(directory: Path | None, output: Path | None) -> None:
    """Look at a trace in the browser: all units on one time line.

    DIR is a directory that `headway trace` recorded; without it, the newest one under ./.headway.

    The page is one file that needs no network: it can be sent to others. Without -o it is a temporary
    file that is opened, and its path is printed.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # see headway.cli.trace
    from headway.view import write
    from headway.view.files import temporary_file

    directory = directory or newest_trace(Path.cwd())
    if output is not None:
        write(directory, output)
        sys.stderr.write(f"{output}: {_size(output)}\n")
        return
    file = temporary_file(directory.resolve().name)
    try:
        write(directory, file)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    click.echo(file)
    if not _open(file):
        sys.stderr.write(f"no browser to open it with: open {file.as_uri()} in one\n")


def _open(file: Path) -> bool:
    """Open a page in the browser; not in one of a terminal, which would come first where there is no screen."""
    screen = any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))
    try:
        return (screen or sys.platform == "darwin") and webbrowser.open(file.as_uri())
    except webbrowser.Error:
        return False


def _size(file: Path) -> str:
    size = file.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
