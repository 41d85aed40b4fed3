"""The command `headway`: one verb a file, each loaded when it is asked for."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from headway import __version__
from headway.errors import HeadwayError, UsageError

VERBS = {
    "trace": "headway.cli.trace",
    "report": "headway.cli.report",
    "view": "headway.cli.view",
    "map": "headway.cli.map",
    "check": "headway.cli.check",
    "gil": "headway.cli.gil",
}
"""Verb to the module that defines it as a click command of that name, in the order of the help text."""

# Fixed, so that the help texts are the same on every terminal; readable at 80 columns.
SETTINGS = {"help_option_names": ["-h", "--help"], "terminal_width": 80, "max_content_width": 80}


class _ReaderLeft(Exception):
    """Whoever read our output has gone. Click would make an exit status of 1 of a BrokenPipeError."""


class _Verbs(click.Group):
    """A group that imports a verb's module when the verb is used."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            status = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where it is known what a broken pipe means
            return status
        except BrokenPipeError as error:
            raise _ReaderLeft from error
        except SystemExit as error:  # rich makes one of it
            if isinstance(error.__context__, BrokenPipeError):
                raise _ReaderLeft from error
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = getattr(importlib.import_module(VERBS[cmd_name]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            is_file = os.path.exists(args[0])
            raise UsageError(
                f"no such verb: {args[0]}",
                hint=f"headway trace {args[0]}"
                if is_file
                else f"one of {', '.join(VERBS)}; see headway --help",
            )
        return super().resolve_command(ctx, args)


@click.group(cls=_Verbs, context_settings=SETTINGS, invoke_without_command=True)
@click.version_option(__version__, prog_name="headway", message="%(prog)s %(version)s")
@click.pass_context
def headway(ctx: click.Context) -> None:
    """See what every thread and process of a Python program does, and waits for;
    run a function on all cores; and find the schedule that breaks a program.

    \b
    headway trace prog.py      run a program, and report on it when it ends
    headway report DIR         print the report of a trace again
    headway view DIR           look at a trace in the browser
    headway map MODULE:FUNC    call a function on each line of stdin, concurrently
    headway check FILE.py      run scenarios under one schedule after another
    headway gil                measure how far threads scale on each interpreter
    """  # noqa: D205, D301 (click's mark for lines that are not to be joined)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _complain(message: str, hint: str | None) -> None:
    text = f"error: {message}\n" if hint is None else f"error: {message}\nhint: {hint}\n"
    if sys.stderr is not None:
        sys.stderr.write(text)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        args: Without the command's own name; None takes the process's.
    Returns:
        The exit status: 0 fine, 1 a finding, 2 wrong usage, 3 cannot observe or control, 4 a replay
        diverged; of `trace`, the program's own.
    """
    try:
        status = headway.main(
            args=None if args is None else list(args), prog_name="headway", standalone_mode=False
        )
    except HeadwayError as error:
        _complain(error.message, error.hint)
        return error.exit_status
    except click.UsageError as error:
        path = "headway" if error.ctx is None else error.ctx.command_path
        _complain(error.format_message(), f"{path} --help")
        return 2
    except click.ClickException as error:
        _complain(error.format_message(), None)
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except _ReaderLeft:
        # The reader of our output went away (`headway report DIR | head`). Python flushes stdout once more
        # when it exits, which would fail again and be reported; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    return status if isinstance(status, int) else 0
