"""`headway check`: run scenarios under many schedules, and show one that breaks them."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from headway.cli.scenarios import Scenario, find
from headway.errors import CheckError, ScheduleFailure, UsageError

_DEFAULTS = {
    "schedules": 1000,
    "seconds": 10.0,
    "strategy": "auto",
    "seed": 0,
    "granularity": "access",
    "carrier": "threads",
}


@click.command(name="check", short_help="Run a scenario under many schedules; show one that breaks it.")
@click.argument("scenario", metavar="SCENARIO")
@click.option(
    "--schedules",
    metavar="N",
    type=click.IntRange(1),
    default=_DEFAULTS["schedules"],
    show_default=True,
    help="How many at most.",
)
@click.option(
    "--seconds",
    metavar="S",
    type=click.FloatRange(0),
    default=_DEFAULTS["seconds"],
    show_default=True,
    help="For how long at most; 0 for no limit.",
)
@click.option(
    "--strategy",
    metavar="S",
    default=_DEFAULTS["strategy"],
    show_default=True,
    help="How schedules are chosen: auto mixes focus, pct, pos and bounded; or one of these, walk, dpor.",
)
@click.option(
    "--seed",
    metavar="N",
    type=int,
    default=_DEFAULTS["seed"],
    show_default=True,
    help="Of the random choices; the same seed searches the same schedules.",
)
@click.option(
    "--granularity",
    metavar="G",
    default=_DEFAULTS["granularity"],
    show_default=True,
    help="Where threads can switch: at sync (locks, queues, threads), access (also to shared data), line or opcode.",
)
@click.option(
    "--carrier",
    metavar="C",
    default=_DEFAULTS["carrier"],
    show_default=True,
    help="What threads run on: threads, or greenlets, which is faster.",
)
@click.option(
    "--also",
    metavar="MODULE",
    multiple=True,
    help="A module outside the program whose shared data counts, too; may be given more than once.",
)
@click.option("--replay", "token", metavar="TOKEN", help="Run the one schedule that a failure has named.")
@click.option("--html", "page", metavar="FILE", help="Write the report as a page to this file, too.")
@click.option("--json", "as_json", is_flag=True, help="Write a JSON document instead of text.")
def check(
    scenario: str,
    token: str | None,
    page: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Run a scenario under one schedule after the other, and show one that breaks it.

    A scenario is a function without arguments that makes its threads, joins them
    and asserts. SCENARIO is MODULE:FUNCTION, FILE.py::FUNCTION or FILE.py, which
    stands for all functions of the file whose names begin with check_ or scenario,
    or, if there is none, for the only one that can be called without arguments.

    \b
    headway check bank.py::transfer
    headway check --schedules 20000 --seconds 120 package.module:scenario
    headway check --replay 1:9f04c1:AAECBQ bank.py::transfer

    What a scenario prints is not shown, except by --replay, on stderr.

    Exit status: 0 if no failure was found, 1 if one was, 2 if headway was called
    wrongly, 3 if a scenario does what cannot be controlled, 4 if a replay left the
    path, since the program has changed.
    """  # noqa: D301 (click's mark for lines that are not to be joined)
    target = None if page is None else _writable(page)
    scenarios = find(scenario)
    if token is not None and len(scenarios) > 1:
        raise UsageError(
            f"--replay is for one scenario; {scenario} has {len(scenarios)}",
            hint=" or ".join(one.name for one in scenarios[:3]),
        )
    results = [_Result(one, token, {**options, "seconds": options["seconds"] or None}) for one in scenarios]
    for place, result in enumerate(results):
        result.run(alone=len(results) == 1)
        if not as_json:
            if place:
                click.echo()
            _show(result)
    if as_json:
        document = {"headway": 1, "scenarios": [result.as_dict() for result in results]}
        click.echo(json.dumps(document, indent=1))
    if target is not None:
        from headway.check.page import page as made

        target.write_text(made([result.as_dict() for result in results]), encoding="utf-8")
    return _status(results)


class _Result:
    """One scenario, and what came out."""

    def __init__(self, scenario: Scenario, token: str | None, options: dict[str, Any]) -> None:
        self.scenario = scenario
        self.token = token
        self.options = options
        self.failure: ScheduleFailure | None = None
        self.error: CheckError | None = None
        self.verdict: Any = None

    def run(self, *, alone: bool) -> None:
        """Explore or replay it.

        Args:
            alone: No other scenario follows: an error ends the command.
        """
        # Not sooner: it looks at the program's modules, and takes what it doubles from `threading`.
        from headway.check.explore import explore, replay
        from headway.check.silence import silence

        try:
            if self.token is not None:
                kept = {name: self.options[name] for name in ("carrier", "also")}
                with contextlib.redirect_stdout(sys.stderr):
                    replay(self.scenario.function, self.token, **kept)
            else:
                with silence():
                    self.verdict = explore(self.scenario.function, **self.options)
        except ScheduleFailure as failure:
            self.failure = failure
        except CheckError as error:
            if alone:
                raise
            self.error = error

    @property
    def replay(self) -> str:
        """The command that shows the failure again; empty if there is none that could."""
        if self.failure is None or not self.failure.token:
            return ""
        words = ["headway", "check", "--replay", self.failure.token]
        if self.options["carrier"] != _DEFAULTS["carrier"]:
            words += ["--carrier", self.options["carrier"]]
        for module in self.options["also"]:
            words += ["--also", module]
        return shlex.join([*words, self.scenario.name])

    @property
    def more(self) -> str:
        """The command that looks further."""
        if self.verdict is None:
            return ""
        changed: dict[str, Any] = {}
        if self.verdict.reduced:
            changed["strategy"] = _DEFAULTS["strategy"]
        elif self.verdict.exhausted:
            finer = {"sync": "access", "access": "line"}.get(self.options["granularity"])
            if finer is None:
                return ""
            changed["granularity"] = finer
        else:
            changed["schedules"] = self.options["schedules"] * 10
            changed["seconds"] = (self.options["seconds"] or 0) * 10
        words = ["headway", "check"]
        for name, default in _DEFAULTS.items():
            value = changed.get(name, self.options[name])
            if value != default and value is not None:
                words += [f"--{name}", f"{value:g}" if isinstance(value, float) else str(value)]
        for module in self.options["also"]:
            words += ["--also", module]
        return shlex.join([*words, self.scenario.name])

    def as_dict(self) -> dict[str, Any]:
        """The scenario's part of the JSON document."""
        out: dict[str, Any] = {"scenario": self.scenario.name}
        if self.failure is not None:
            failure = self.failure
            return {**out, "outcome": "failure", **failure.details, "replay": self.replay or None}
        if self.error is not None:
            return {**out, "outcome": "error", "message": self.error.message, "hint": self.error.hint}
        if self.verdict is None:
            return {**out, "outcome": "ok", "replayed": self.token}
        verdict = self.verdict
        return {
            **out,
            "outcome": "ok",
            "schedules": verdict.schedules,
            "exhausted": verdict.exhausted,
            "reduced": verdict.reduced,
            "seconds": round(verdict.seconds, 3),
            "granularity": verdict.granularity,
            "seed": verdict.seed,
            "races": list(verdict.races),
            "notes": list(verdict.notes),
        }


def _status(results: list[_Result]) -> int:
    if any(result.failure is not None for result in results):
        return 1
    return max((result.error.exit_status for result in results if result.error is not None), default=0)


def _show(result: _Result) -> None:
    from headway.cli.failing import Screen

    screen = Screen()
    name = result.scenario.name
    if result.failure is not None:
        screen.failure(result.failure, name)
        if result.replay:
            screen.command("replay", result.replay)
    elif result.error is not None:
        screen.first(f"cannot check {name}", "yellow")
        screen.say(f"  {result.error.message}")
        if result.error.hint:
            screen.say(f"hint: {result.error.hint}")
    elif result.verdict is None:
        screen.first("no failure: the schedule was followed to its end", "green")
        screen.say(f"  {name}, replayed {result.token}")
        screen.command("explore", shlex.join(["headway", "check", name]))
    else:
        screen.verdict(result.verdict, name)
        if result.more:
            screen.command("more", result.more)


def _writable(name: str) -> Path:
    path = Path(name)
    if path.is_dir():
        raise UsageError(f"--html {name}: is a directory")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise UsageError(f"--html {name}: cannot write there")
    return path
