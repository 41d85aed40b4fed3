"""What `headway check` writes to a terminal, or to a pipe, where it has no colours."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from headway.check import report
from headway.errors import ScheduleFailure

__all__ = ["Screen"]

_LEAST_COLUMNS, _MOST_COLUMNS = 72, 120
_MARKS = {">": "cyan", "!": "red"}


class Screen:
    """Writes lines; nothing is ever wrapped, so that commands can be copied.

    With nothing but click, without which there is no command line: a finding that took its time is not lost because
    something that makes it pretty is missing or broken.
    """

    def __init__(self) -> None:
        self.colored = _is_colored()
        try:
            columns = os.get_terminal_size(sys.stdout.fileno()).columns
        except (OSError, ValueError, AttributeError):
            columns = 80
        self.width = max(_LEAST_COLUMNS, min(columns, _MOST_COLUMNS))

    def first(self, line: str, color: str) -> None:
        """The answer."""
        self._write(click.style(line, fg=color, bold=True))

    def say(self, line: str, color: str | None = None) -> None:
        """A line of evidence."""
        self._write(click.style(line, fg=color))

    def command(self, label: str, command: str) -> None:
        """What to type next."""
        self._write(click.style(f"{label}: ", dim=True) + click.style(command, bold=True))

    def failure(self, failure: ScheduleFailure, name: str) -> None:
        """What happens, and the schedule."""
        details: Any = failure.details
        if "steps" not in details:  # it did not happen again
            first, *others = failure.message.splitlines()
            self.first(first, "red")
            for line in [f"  {name}", *others]:
                self.say(line)
            if failure.hint:
                self.say(f"hint: {failure.hint}")
            return
        first, *others = report.text(details, self.width).splitlines()
        self.first(first, "red")
        for line in others:
            self.say(line, _MARKS.get(line[:1]))
        failed = details["failed"]
        if failed is not None and len(failed["traceback"]) > 1:
            self.say(f"raised at {_calls(failed['traceback'])}")

    def verdict(self, verdict: Any, name: str) -> None:
        """How much was looked at."""
        first, *others = str(verdict).splitlines()
        self.first(first, "green" if not verdict.races else "yellow")
        rate = verdict.schedules / verdict.seconds if verdict.seconds > 0 else 0
        pace = f", {rate:,.0f} schedules/s" if verdict.schedules >= 10 and verdict.seconds > 0.01 else ""
        self.say(f"  {name}: {verdict.seconds:.2f} s{pace}, seed {verdict.seed}")
        for line in others:
            self.say(line)

    def _write(self, line: str) -> None:
        click.echo(line, color=self.colored)


def _is_colored() -> bool:
    """Does whoever reads this see colours, and want to?"""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _calls(traceback: list[str]) -> str:
    """The calls that led there, innermost first."""
    places = [f"{place.rpartition(':')[0]} ({place.rpartition(':')[2]})" for place in reversed(traceback)]
    shown = places[:4]
    return ", from ".join(shown) + (", ..." if len(places) > 4 else "")
