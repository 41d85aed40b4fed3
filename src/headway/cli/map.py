"""`headway map`: a Python function on each line of the input."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from headway.cli.bar import Bar
from headway.cli.failures import Failures, shorten, trace_of
from headway.cli.lines import Lines
from headway.cli.output import Output
from headway.errors import UsageError
from headway.run.backends.open import is_known, names_like
from headway.run.batch import Portion
from headway.run.feed import Feed
from headway.run.line import AsyncLineCall, Line, LineCall
from headway.run.options import StageOptions, choose, is_coroutine_function
from headway.run.reading import Plan
from headway.run.results import Results
from headway.run.stage import Stage
from headway.target import Target


@click.command(name="map", short_help="Call a Python function on each line of the input.")
@click.argument("function", metavar="MODULE:FUNCTION")
@click.option(
    "--on",
    metavar="WHERE",
    default="auto",
    show_default=True,
    help="Where calls run: auto, serial, threads, processes, interpreters, asyncio, greenlets, dask, ray or a URL.",
)
@click.option(
    "-j",
    "--workers",
    metavar="N",
    type=click.IntRange(1),
    help="How many calls may run at a time.  [default: what suits]",
)
@click.option(
    "-a",
    "--arg-file",
    "files",
    metavar="FILE",
    multiple=True,
    help="Read lines from this file in place of stdin; may be given more than once, - is stdin.",
)
@click.option(
    "-0", "--null", is_flag=True, help="Lines end with NUL in place of a newline, as those of find -print0."
)
@click.option("--json", "as_json", is_flag=True, help="Each line is a JSON value, and so is each result.")
@click.option(
    "--star",
    is_flag=True,
    help="With --json: an array holds the positional arguments, an object the keyword arguments.",
)
@click.option(
    "--unordered",
    is_flag=True,
    help="Write each result as soon as it is there.  [default: in the order of the lines]",
)
@click.option(
    "--retries",
    metavar="N",
    type=click.IntRange(0),
    default=0,
    help="Try a failed call again, so many times.",
)
@click.option(
    "--timeout",
    "timeout_s",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    help="Stop a call that runs longer; it has failed. Not on threads.",
)
@click.option(
    "--halt", is_flag=True, help="Stop at the first failure, and show its traceback.  [default: go on]"
)
@click.option(
    "--progress/--no-progress",
    default=None,
    help="Show how far it is, if stderr is a terminal.  [default: unless stdout is one, too]",
)
def map(  # noqa: A001 (the verb's name)
    function: str,
    on: str,
    workers: int | None,
    files: tuple[str, ...],
    null: bool,
    as_json: bool,
    star: bool,
    unordered: bool,
    retries: int,
    timeout_s: float | None,
    halt: bool,
    progress: bool | None,
) -> int:
    """Call a Python function on each line of stdin, many at a time, and write each
    result as a line.

    The argument is the line without its end. A result of None writes nothing.
    FUNCTION may be a coroutine function, and is found as python -m finds modules;
    FILE.py:FUNCTION is one in a file.

    \b
    ls | headway map os.path:getsize
    headway map fetch.py:title -a urls.txt --on threads -j 50
    tail -f events.jsonl | headway map --json tools.events:parse

    Exit status: 0 if all went well, 1 if a call failed, 2 if headway was called
    wrongly and nothing was run, 130 after Ctrl-C, 141 if nobody reads stdout any
    more.
    """  # noqa: D205, D301 (click's mark for lines that are not to be joined)
    if star and not as_json:
        raise UsageError("--star without --json: a line of text is one argument", hint="--json --star")
    if on != "auto" and not is_known(on):
        raise UsageError(f"--on {on}: there is no such backend", hint=names_like(on))
    options = StageOptions(
        on=on,
        workers=workers,
        ordered=not unordered,
        on_error="return",
        timeout_s=timeout_s,
        retries=retries,
    )
    if sys.stdout is None:
        raise UsageError("stdout is closed")
    target = Target.parse(function)
    call = _open(target, on, as_json, star)
    lines = Lines(files, separator=b"\0" if null else b"\n", skip_blank=as_json)
    return _Map(function, call, lines, options, halt=halt, progress=progress).run()


def _open(target: Target, on: str, as_json: bool, star: bool) -> LineCall:
    call = LineCall.open(target, as_json, star)
    if not star:
        _check_signature(call.func)
    coroutine = is_coroutine_function(call.func)
    if coroutine and on not in ("auto", "asyncio"):
        raise UsageError(
            f"{target.function} is a coroutine function, which --on {on} cannot run",
            hint="leave --on out, or --on asyncio",
        )
    if on == "asyncio" or coroutine:
        call = AsyncLineCall.open(target, as_json, star)
    return call


def _check_signature(fn: Callable[..., Any]) -> None:
    import inspect

    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):  # many built-in ones have none
        return
    try:
        signature.bind("a line")
    except TypeError as error:
        raise UsageError(
            f"{getattr(fn, '__qualname__', fn)}{signature} cannot be called with one line: {error}",
            hint="--json --star takes several arguments from a JSON array or object",
        ) from None


class _LineStage(Stage):
    """A stage that knows, of each failure that comes out of it, which line it belongs to."""

    # Of the lines that failed last time they ran: they were not yet read, or will be tried again.
    _failed: dict[int, tuple[Line, BaseException]]

    def take(self, portion: Portion) -> None:
        if not hasattr(self, "_failed"):
            self._failed = {}
        if portion.errors or self._failed:
            lines = portion.batch.items[portion.first : portion.first + len(portion.values)]
            for place, line in enumerate(lines):
                if place in portion.errors:
                    self._failed[line[0]] = line, portion.errors[place]
                else:
                    self._failed.pop(line[0], None)
        super().take(portion)

    def line_of(self, error: BaseException) -> Line:
        """Which line a failure belongs to; asked once for each. Calls that failed together may share an error."""
        # Failures are read in about the order in which they came, so the first is nearly always the one.
        number = next(number for number, (_, raised) in self._failed.items() if raised is error)
        return self._failed.pop(number)[0]


class _Map:
    """One run of the verb."""

    def __init__(
        self,
        name: str,
        call: LineCall,
        lines: Lines,
        options: StageOptions,
        *,
        halt: bool,
        progress: bool | None,
    ) -> None:
        self._name = name
        self._call = call
        self._lines = lines
        self._options = options
        self._halt = halt
        self._failures = Failures()
        self._output = Output()
        self._bar = Bar(progress, name)
        self._stage: _LineStage
        self._taken = 0
        self._told = 0

    def run(self) -> int:
        plan = Plan(
            Feed(self._lines) if self._lines.slow else iter(self._lines),
            None,
            self._stages,
        )
        early = True
        try:
            with self._output, Results[bytes | BaseException | None](plan, self._tell) as results:
                early = self._write(results)
        except KeyboardInterrupt:
            self._say(f"\ninterrupted after {self._taken:,} calls of {self._name}\n")
            return 130
        except BrokenPipeError:
            # Not left to click, which would end with 1. What is still in sys.stdout goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return 141
        finally:
            self._bar.close()
            if self._failures.count:
                self._say(self._failures.report(self._taken, self._name, details=not self._halt))
            if early:
                _do_not_wait()
        return 1 if self._failures.count else 0

    def _stages(self, loop: asyncio.AbstractEventLoop | None) -> list[Stage]:
        options = self._options
        # Where the backend is not yet chosen, the timeout has a say in the choice.
        wanted = options if options.on == "auto" else dataclasses.replace(options, timeout_s=None)
        choice = choose(self._call, wanted, loop=loop, inline=True, awaited=False)
        if options.timeout_s is not None and not choice.backend.stops:
            choice.close(wait=False, abort=True)
            raise UsageError(
                f"--timeout {options.timeout_s:g}: a call on {choice.backend.name} cannot be stopped",
                hint="--on processes; or give the function itself a time limit",
            )
        self._stage = _LineStage(
            self._call,
            choice,
            ordered=options.ordered,
            on_error=options.on_error,
            retry=options.retry,
            timeout_s=options.timeout_s,
        )
        return [self._stage]

    def _tell(self, count: int, total: int | None) -> None:
        # invariant: told of each chunk of results before they are given out.
        self._told = count
        if count > self._taken:
            self._output.hold()

    def _write(self, results: Results[bytes | BaseException | None]) -> bool:
        """Write results as they come, and say whether it was left early."""
        for result in results:
            self._taken += 1
            if isinstance(result, BaseException):
                self._fail(result)
                if self._halt:
                    return True
            elif result is not None:
                self._output.add(result)
            # At the end of a chunk the next result may be long in coming.
            if self._taken == self._told:
                with self._bar.aside():
                    self._output.flush()
                self._bar.show(self._taken, self._failures.count)
        return False

    def _fail(self, error: BaseException) -> None:
        number, line = self._stage.line_of(error)
        where = self._lines.where(number)
        self._failures.add(where, line, error)
        if self._halt:
            self._bar.close()
            self._say(f"{trace_of(error)}halted at {where}, {shorten(line)}\n")

    def _say(self, text: str) -> None:
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()


def _do_not_wait() -> None:
    """Let the program end while calls still run on threads: they are daemons, and nobody wants their results."""
    from headway.run.backends import ending

    ending.forget_all()
