"""`headway gil`: how far threads scale on the interpreters of this machine."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import click

from headway.errors import CannotObserve, UsageError


@click.command(name="gil", short_help="Measure how far threads scale on any interpreter.")
@click.option(
    "--python",
    "named",
    metavar="PATH",
    multiple=True,
    help="An interpreter, by path or name; may be given again. Default: all that are found.",
)
@click.option(
    "--workers", metavar="N", type=click.IntRange(2, 256), help="Threads at most. Default: one for each core."
)
@click.option(
    "--seconds",
    metavar="S",
    type=click.FloatRange(0.01, 60),
    default=0.3,
    show_default=True,
    help="How long one piece of work takes; longer is more exact.",
)
@click.option(
    "--rounds", metavar="N", type=click.IntRange(1, 100), default=3, show_default=True, help="How often."
)
@click.option("--json", "as_json", is_flag=True, help="Write a JSON document instead of text.")
def gil(named: tuple[str, ...], workers: int | None, seconds: float, rounds: int, as_json: bool) -> int:
    """Measure how far threads scale on any interpreter: CPython with and without
    the GIL, PyPy, Jython, IronPython.

    Each does the same work on 1 to N threads: Python code, code that lets go of
    the GIL, and, for comparison, Python code in processes. Nothing else should
    run meanwhile.
    """  # noqa: D205 (lines that fit 80 columns)
    from headway.gil.interpreters import installed
    from headway.gil.measurement import measure
    from headway.gil.table import lines

    cores = len(os.sched_getaffinity(0))
    counts = _counts(workers or max(2, cores))
    paths = [_named(each) for each in named] if named else installed()
    found, failed = [], []
    told = sys.stderr.isatty()
    for path in paths:
        if told:
            sys.stderr.write(f"\r\x1b[Kmeasuring {path}")
            sys.stderr.flush()
        try:
            found.append(measure(path, counts, seconds=seconds, rounds=rounds))
        except CannotObserve as error:
            if named:
                raise
            failed.append(error.message)
        finally:
            if told:
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()
    if as_json:
        document = {
            "headway": 1,
            "cores": cores,
            "interpreters": [each.told() for each in found],
            "not_measured": failed,
        }
        click.echo(json.dumps(document))
    else:
        for line in lines(found, failed, cores):
            click.echo(line)
    return 0 if found else CannotObserve.exit_status


def _counts(most: int) -> list[int]:
    """All up to eight; then powers of two, and the last."""
    return [count for count in range(1, most + 1) if count <= 8 or count == most or not count & (count - 1)]


def _named(text: str) -> Path:
    path = shutil.which(os.path.expanduser(text))
    if path is None:
        why = "is a directory" if os.path.isdir(text) else "no such program"
        raise UsageError(
            f"--python {text}: {why}", hint="name an interpreter, such as python3.13 or /usr/bin/pypy3"
        )
    return Path(path)
