"""A failing schedule in words: the sentence, a table with a column for each unit, and the line that replays it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from headway.check.naming import short_name
from headway.check.place import is_program
from headway.check.races.classes import CAN_GO_WRONG
from headway.check.rows import Row, rows, shown_files
from headway.check.story import tell
from headway.errors import ScheduleFailure

if TYPE_CHECKING:
    from headway.check.builds import Build
    from headway.check.ending import Ending
    from headway.check.options import Options
    from headway.check.races.race import Race
    from headway.check.recorder import Recorder
    from headway.check.search import Found

__all__ = ["blocked_lines", "build_lines", "counted", "failure", "nondeterminism", "race_lines", "text"]

MOST_ROWS = 60
MOST_TURNS = 12
"""Rows of a schedule that goes on for ever."""
LONGEST_PLACE = 14
"""Of a line in the only file; the file's name stands above the table if they are longer."""
WIDTH = 76
"""Fits, with what pytest puts before it, into 80 columns."""
LEAST_TEXT = 40
"""Columns that the source text of the last unit has at least."""


def failure(
    ending: Ending,
    recorder: Recorder,
    token: str,
    number: int,
    options: Options,
    race: Race | None = None,
    build: Build | None = None,
) -> ScheduleFailure:
    """The exception that tells of a failing schedule, of the race at its heart, and of the builds that can show it."""
    if ending.error is not None:
        _forget_ours(ending.error)
    details = tell(ending, recorder, token, number, options, race)
    details["build"] = build.told() if build is not None else None
    report = text(details)
    also = f", also={list(options.also)!r}" if options.also else ""
    error = ScheduleFailure(f"{report}\nreplay: headway.replay(scenario, {token!r}{also})")
    error.token = token
    error.kind = ending.kind
    error.report = report
    error.details = details
    if ending.error is not None:
        error.__cause__ = ending.error
    return error


def nondeterminism(found: Found, other: str) -> ScheduleFailure:
    """The exception for a failure that the same choices did not give each time.

    Args:
        found: The failure.
        other: What else they gave, and when.
    """
    ending = found.ending
    report = (
        f"{ending.sentence}\nbut when the same schedule ran {other}\n"
        "the scenario is not deterministic: it depends on something that the schedule does not fix"
    )
    error = ScheduleFailure(
        report,
        hint="randomness, the time of day, the order of a set, or state that one run leaves to the next, "
        "in a global or an object of a fixture?",
    )
    error.kind = ending.kind
    error.report = report
    error.details = {"kind": ending.kind, "sentence": ending.sentence, "deterministic": False}
    if ending.error is not None:
        _forget_ours(ending.error)
        error.__cause__ = ending.error
    return error


def text(details: Mapping[str, Any], width: int = WIDTH, most_rows: int = MOST_ROWS) -> str:
    """The report for people.

    Args:
        details: Of a `ScheduleFailure`.
        width: Columns that there are.
        most_rows: Of the table; the last ones are shown.
    """
    if "steps" not in details:
        return str(details["sentence"])
    right = counted(details)
    first = details["sentence"]
    room = width - len(first) - len(right)
    lines = [first + " " * room + right] if room >= 3 else [first, f"  {right}"]
    lines += blocked_lines(details, width)
    table = list(_table(details, width, most_rows))
    if table:
        lines += ["", *table]
    return "\n".join([*lines, *race_lines(details), *build_lines(details)])


def counted(details: Mapping[str, Any]) -> str:
    """Such as `(schedule 37 of 1000, seed 7)`."""
    if details["schedule"] is None:
        return "(replayed)"
    return f"(schedule {details['schedule']} of {details['schedules']}, seed {details['seed']})"


def race_lines(details: Mapping[str, Any]) -> list[str]:
    """What raced, and who did what to it."""
    race = details.get("race")
    if race is None:
        return []
    kind = [] if race["kind"] not in CAN_GO_WRONG else [race["kind"]]
    unlocked = not any(access["locks"] for access in race["accesses"])
    lock = "no lock is held" if unlocked else "no lock orders these"
    return [
        f"race: {race['variable']} ({'; '.join([*kind, lock])})",
        *(f"  {step}" for step in race["steps"]),
    ]


def build_lines(details: Mapping[str, Any]) -> list[str]:
    """Which builds of CPython can show it."""
    build = details.get("build")
    return [] if build is None else list(build["lines"])


def blocked_lines(details: Mapping[str, Any], width: int) -> list[str]:
    """Who holds what and waits for what: first those that wait for each other."""
    names = {unit["unit"]: unit["name"] for unit in details["units"]}
    blocked = sorted(details["blocked"], key=lambda one: not one["holds"])
    name_width = max((len(names[one["unit"]]) for one in blocked), default=0)
    files = shown_files(details)
    lines = []
    for one in blocked:
        holds = [f"holds {_called(held)}" for held in one["holds"]]
        at = [f"at {files[one['file']]}:{one['line']}"] if one["file"] else []
        name = f"  {names[one['unit']].ljust(name_width)}  "
        line = name
        for part in [*holds, _waiting(one, names), *at]:
            if line != name and len(line) + len(part) > width:
                lines.append(line.rstrip())
                line = name = " " * len(name)
            line += f"{part}  "
        lines.append(line.rstrip())
    return lines


def _waiting(one: Mapping[str, Any], names: Mapping[int, str]) -> str:
    thing = one["waits_for"]
    if thing is None:
        return {"sleep": "sleeps", "switch": "waits", "yield": "gives way"}.get(
            one["does"], f"is about to {one['does']}"
        )
    if thing["kind"] == "unit":
        return f"waits for the end of {thing['name']}"
    if one["does"] not in ("acquire", "join", "wait"):
        return f"is about to {one['does']} {_called(thing)}"
    holder = one["held_by"]
    if holder == one["unit"]:
        return f"waits for {_called(thing)}, which it holds itself"
    return f"waits for {_called(thing)}"


def _called(thing: Mapping[str, Any]) -> str:
    place = thing["made_at"].rsplit("/", 1)[-1]
    return f"{thing['kind']} {thing['name']} ({place})" if place else str(thing["name"])


def _table(details: Mapping[str, Any], width: int, most_rows: int) -> Iterator[str]:
    """A row for each line that a unit went through, in the unit's column."""
    found = rows(details)
    if not found:
        return
    most_rows = MOST_TURNS if details["kind"] == "livelock" else most_rows
    left_out = max(0, len(found) - most_rows)
    shown = found[left_out:]
    files = {row.file for row in shown if row.file}
    places = [row.place for row in shown]
    if len(files) == 1 and max(map(len, places)) > LONGEST_PLACE:
        places = [str(row.line) if row.file else "" for row in shown]
        yield f"  {files.pop()}"
    gutter = max(map(len, places)) + 4
    units = sorted({row.unit for row in shown})
    names = {unit["unit"]: unit["name"] for unit in details["units"]}
    column = (
        min(26, max(10, (width - gutter - LEAST_TEXT) // max(1, len(units) - 1))) if len(units) > 1 else 0
    )
    starts = {unit: gutter + place * column for place, unit in enumerate(units)}
    yield _header(starts, names, column)
    if left_out or details["steps_left_out"]:
        yield f"  ... {left_out + details['steps_left_out']} rows before"
    for row, place in zip(shown, places, strict=True):
        yield from _lines(row, place.rjust(gutter - 4), starts[row.unit], width)
    marks = {row.mark for row in shown}
    legend = [
        *(["> the schedule switches here"] if ">" in marks else []),
        *(["! it fails here"] if "!" in marks else []),
    ]
    if legend:
        yield f"({', '.join(legend)})"


def _header(starts: Mapping[int, int], names: Mapping[int, str], column: int) -> str:
    line = ""
    last = max(starts)
    for unit, start in starts.items():
        name = names.get(unit, "?")
        room = len(name) if unit == last else column - 1
        name = name if len(name) <= room else short_name(name)
        line = line.ljust(start) + (name if len(name) <= room else f"{name[: max(0, room - 2)]}..")
    return line


def _lines(row: Row, place: str, start: int, width: int) -> Iterator[str]:
    before = f"{row.mark or ' '} {place}".ljust(start)
    comment = f"  # {row.comment}" if row.comment else ""
    if not row.text and comment:
        yield before + comment[2:]
    elif len(before) + len(row.text) + len(comment) <= width:
        yield before + row.text + comment
    else:
        yield before + _cut(row.text, width - len(before))
        if comment:
            yield " " * start + _cut(comment, max(20, width - start))


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 3]}..."


def _forget_ours(error: BaseException) -> None:
    """Let the traceback begin in the program: how a unit is started is no news."""
    at = error.__traceback__
    while at is not None and not is_program(at.tb_frame.f_code.co_filename):
        at = at.tb_next
    if at is not None:
        error.__traceback__ = at
