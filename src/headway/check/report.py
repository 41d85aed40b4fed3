"""A failing schedule in words: the sentence, a table with a column for each unit, and the line that replays it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.errors import ScheduleFailure

if TYPE_CHECKING:
    from headway.check.ending import Ending
    from headway.check.options import Options
    from headway.check.recorder import Recorder
    from headway.check.search import Found

__all__ = ["failure", "nondeterminism"]

MOST_ROWS = 60


def failure(ending: Ending, recorder: Recorder, token: str, number: int, options: Options) -> ScheduleFailure:
    """The exception that tells of a failing schedule."""
    counted = f"(schedule {number} of {options.schedules}, seed {options.seed})" if number else "(replayed)"
    lines = [f"{ending.sentence}   {counted}"]
    lines += [
        f"  {b.unit} waits: {b.what}" + (f", held by {b.owner}" if b.owner and b.owner != b.unit else "")
        for b in ending.blocked
    ]
    report = "\n".join(table(recorder))
    error = ScheduleFailure("\n".join([*lines, "", report, ""]), hint=f"headway.replay(scenario, {token!r})")
    error.token = token
    error.kind = ending.kind
    error.report = report
    if ending.error is not None:
        error.__cause__ = ending.error
    return error


def nondeterminism(found: Found, again: Ending, diverged: str) -> ScheduleFailure:
    """The exception for a failure that the same choices did not give again."""
    second = diverged or again.sentence
    error = ScheduleFailure(
        f"{found.ending.sentence}\nbut when the same schedule ran again: {second}\n"
        "the scenario is not deterministic: it depends on something that the schedule does not fix",
        hint="randomness, the time of day, the order of a set, or state that one run leaves to the next?",
    )
    error.kind = found.ending.kind
    if found.ending.error is not None:
        error.__cause__ = found.ending.error
    return error


def table(recorder: Recorder) -> list[str]:
    """A row for each step, in the column of its unit; `-` marks where another unit goes on."""
    steps = recorder.steps
    cut = len(steps) > MOST_ROWS
    shown = steps[-MOST_ROWS:]
    rows = [f"... {len(steps) - MOST_ROWS} steps before"] if cut else []
    columns = sorted({step.unit for step in shown})
    width = max(20, min(44, 96 // max(1, len(columns))))
    rows.append(
        "  ".join(recorder.names.get(number, "?")[:width].ljust(width) for number in columns).rstrip()
    )
    rows.append("  ".join("-" * width for _ in columns))
    for step in shown:
        text = f"{step.file.rsplit('/', 1)[-1]}:{step.line} {step.what}"
        before = " " * ((width + 2) * columns.index(step.unit))
        rows.append(before + text)
    rows += [
        f"{recorder.names.get(step.unit, '?')} could not go on: {step.what} at {step.file}:{step.line}"
        for step in recorder.left()
    ]
    return rows
