"""`headway trace`: run a program unchanged, and report on it when it has ended."""

import contextlib
import os
import sys
from pathlib import Path

import click

from headway.errors import UsageError
from headway.trace import launch
from headway.trace.watch import OnDeadlock

OWN = "headway.trace.own"


def split_program(args: list[str], with_value: set[str]) -> tuple[list[str], str, list[str]]:
    """Divide a command line into headway's own options and the program's.

    Everything from the script, from the module's name or from `--` on belongs to the program, whatever it
    looks like.

    Args:
        args: As typed, after `headway trace`.
        with_value: Names of headway's own options whose value is the next argument.
    Returns:
        Headway's own arguments; what kind the program is: `script`, `module`, `command`, `code` or nothing;
        the program with its arguments.
    """
    at = 0
    while at < len(args):
        word = args[at]
        if word == "--":
            return args[:at], "command", args[at + 1 :]
        if word == "-m":
            return args[:at], "module", args[at + 1 :]
        if word.startswith("-m") and not word.startswith("--"):
            return args[:at], "module", [word[2:], *args[at + 1 :]]
        if word.startswith("-c"):
            return args[:at], "code", args[at:]
        if word == "-" or not word.startswith("-"):
            return args[:at], "script", args[at:]
        at += 2 if word in with_value else 1
    return args, "", []


class _Trace(click.Command):
    """A command whose arguments, from the program's name on, are not its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with_value = {
            name
            for option in self.params
            if isinstance(option, click.Option) and not option.is_flag
            for name in option.opts
        }
        own, kind, program = split_program(args, with_value)
        ctx.meta[OWN] = kind, program
        return super().parse_args(ctx, own)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS] (SCRIPT | -m MODULE | -- COMMAND) [ARGS]..."]


@click.command(cls=_Trace, short_help="Run a program unchanged, and report on it when it ends.")
@click.option(
    "-o", "--output", "directory", metavar="DIR", help="Where the trace goes.  [default: ./.headway/trace-N]"
)
@click.option("--json", "json_file", metavar="FILE", help="Write the report as JSON to this file, too.")
@click.option(
    "--buffer",
    "buffer_mb",
    metavar="MB",
    type=click.IntRange(1, 16384),
    default=launch.BUFFER_MB,
    show_default=True,
    help="Timeline kept for each process; older intervals are overwritten, the totals stay exact.",
)
@click.option(
    "--stack-threshold",
    "stack_threshold_us",
    metavar="US",
    type=click.IntRange(0, 1_000_000_000),
    default=launch.STACK_THRESHOLD_US,
    show_default=True,
    help="Record the Python stack of waits longer than this many microseconds.",
)
@click.option(
    "--on-deadlock",
    "on_deadlock",
    metavar="DO",
    type=click.Choice(["report", "dump", "abort"]),
    default="report",
    show_default=True,
    help="When threads wait for each other for ever: report (say so at once), dump (say also what all threads "
    "do) or abort (also end the program, by SIGABRT).",
)
@click.option("-m", "module", metavar="MODULE", expose_value=False, help="Run a module, as python -m does.")
@click.pass_context
def trace(
    ctx: click.Context,
    directory: str | None,
    json_file: str | None,
    buffer_mb: int,
    stack_threshold_us: int,
    on_deadlock: OnDeadlock,
) -> int:
    """Run a program, and report what its threads and processes did and waited for.

    The program runs unchanged: its input, output, signals and exit status are its own. The report goes to
    stderr when it has ended, also after a crash, Ctrl-C or kill.

    \b
    headway trace prog.py --its-own-option
    headway trace -m http.server 8000
    headway trace -- gunicorn app:app

    Exit status: the program's own. 2 if headway was called wrongly or there is no such program, 3 if it
    cannot observe here; in both cases nothing was run.
    """  # noqa: D301 (click's mark for lines that are not to be joined)
    if directory == "":
        raise UsageError("-o: the name of the directory is empty")
    kind, program = ctx.meta[OWN]
    command = _command(kind, program)
    target = None if json_file is None else _json_target(json_file)
    run = launch.launch(
        command,
        directory=None if directory is None else Path(directory),
        buffer_mb=buffer_mb,
        stack_threshold_us=stack_threshold_us,
        on_deadlock=on_deadlock,
    )
    _report(run.directory, target, run.said)
    return launch.end_like(run.status)


def _command(kind: str, program: list[str]) -> list[str]:
    """Turn what was typed into the command that runs, or say what is wrong with it."""
    if kind == "code":
        raise UsageError("-c is an option of Python, not of headway", hint="headway trace -- python -c ...")
    if not program or not program[0]:
        missing = {"module": "a module after -m", "command": "a command after --"}.get(kind, "a program")
        raise UsageError(
            f"{missing} is missing", hint="headway trace prog.py, or -m module, or -- command; see --help"
        )
    if kind == "command":
        return program
    if not sys.executable:
        raise UsageError("this Python does not know its own path", hint="headway trace -- python prog.py")
    if kind == "module":
        _check_module(program[0])
        return [sys.executable, "-m", *program]
    _check_script(program[0])
    return [sys.executable, *program]


def _check_script(script: str) -> None:
    if script == "-":
        return
    path = Path(script)
    if not path.exists():
        import shutil

        if shutil.which(script):
            raise UsageError(
                f"no such script: {script}", hint=f"it is a command; to trace it: headway trace -- {script}"
            )
        raise UsageError(f"no such script: {script}", hint=f"looked in {Path.cwd()}")
    if path.is_dir() and not (path / "__main__.py").is_file():
        raise UsageError(f"{script} is a directory without a __main__.py", hint="give the script in it")
    if not os.access(path, os.R_OK):
        raise UsageError(f"cannot read {script}: permission denied")


def _check_module(module: str) -> None:
    import importlib.util

    # Only the first part: to look for more would import it here.
    first = module.partition(".")[0]
    kept = sys.path[:]
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = importlib.util.find_spec(first) is not None
    except (ImportError, ValueError):
        found = False
    finally:
        sys.path[:] = kept
    if not found:
        raise UsageError(
            f"no module named {first}",
            hint=f"looked where {sys.executable} -m looks; "
            f"for another Python: headway trace -- python -m {first}",
        )


def _json_target(name: str) -> Path:
    if name == "-":
        raise UsageError(
            "--json cannot write to stdout: it belongs to the program",
            hint="name a file, or afterwards: headway report --json DIR",
        )
    # Absolute now, and checked now: a long run should not end with a report that cannot be written.
    path = Path(name).absolute()
    if path.is_dir():
        raise UsageError(f"--json {name}: is a directory")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"--json {name}: cannot write there")
    return path


def _report(directory: Path, json_file: Path | None, said: tuple[str, ...]) -> None:
    """Write the report to stderr and to a file. Never raises: the program's exit status comes first."""
    try:
        for line in said:
            print(f"headway: {line}", file=sys.stderr)
        # numpy's library for matrices starts a thread for each core when it is loaded, and a report has no matrices.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        from headway.trace import report

        if sys.stderr is not None:
            report.write(directory, sys.stderr)
            sys.stderr.flush()
        if json_file is not None:
            import json

            json_file.write_text(json.dumps(report.as_dict(directory), indent=1) + "\n", encoding="utf-8")
    except BrokenPipeError:
        return
    except (Exception, KeyboardInterrupt) as error:
        reason = str(error).partition("\n")[0] or "interrupted"
        with contextlib.suppress(OSError, ValueError):
            print(
                f"headway: the report failed: {type(error).__name__}: {reason}; the trace is in {directory}",
                file=sys.stderr,
                flush=True,
            )
