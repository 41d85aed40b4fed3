"""The rows of a schedule's table: what a unit did between two switches, once for each line of the source."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Row", "rows", "shown_files"]

_MOST_NOTES = 4


@dataclass(slots=True)
class Row:
    """One line of source, as one unit went through it."""

    unit: int
    file: str
    """As it is shown."""
    line: int
    text: str
    mark: str = ""
    """`>`: the schedule switches here, to this unit, or to one that has no row. `!`: here it fails."""
    times: int = 1
    notes: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        """Such as `bank.py:14`."""
        return f"{self.file}:{self.line}" if self.file else ""

    @property
    def comment(self) -> str:
        """What happened there, and how often if more than once."""
        notes = self.notes
        if len(notes) > _MOST_NOTES:
            notes = [*notes[: _MOST_NOTES - 1], f"and {len(notes) - _MOST_NOTES + 1} more"]
        return ", ".join([*notes, *([f"{self.times} times"] if self.times > 1 else [])])


def rows(details: Mapping[str, Any]) -> list[Row]:
    """The rows of the table, in order.

    A line that a unit goes through several times between two switches is shown once, where it was last.

    Args:
        details: Of a `ScheduleFailure`.
    """
    files = shown_files(details)
    found: list[Row] = []
    turn: dict[tuple[str, int, str], Row] = {}
    last: tuple[str, int, str] | None = None
    unit: int | None = None
    seen: set[tuple[object, ...]] = set()
    switched = False
    for step in details["steps"]:
        if step["unit"] != unit or step["switched"]:
            found += _marked(turn, switched)
            if turn:  # else the mark is for the next row: who was switched to has none
                switched = False
            turn, last, unit = {}, None, step["unit"]
        switched |= step["switched"]
        if not step["file"] and step["does"] != "run":
            continue  # nothing of the program
        key = (step["file"], step["line"], _group(step))
        done = (step["does"], step["site"], step["comment"])
        if key != last or done in seen:  # it has come there again
            before = turn.pop(key, None)
            row = turn[key] = Row(step["unit"], files[step["file"]], step["line"], step["text"])
            if before is not None:
                row.times = before.times + 1
            last, seen = key, set()
        seen.add(done)
        row = turn[key]
        note = _note(step, row.notes)
        if note:
            row.notes.append(note)
    found += _marked(turn, switched)
    found += _ends(details, found, files)
    return found


def _marked(turn: Mapping[tuple[str, int, str], Row], switched: bool) -> list[Row]:
    """The rows of one turn; the first says whether the schedule has switched there."""
    found = list(turn.values())
    if switched and found:
        found[0].mark = ">"
    return found


def shown_files(details: Mapping[str, Any]) -> dict[str, str]:
    """Each file's name as it is shown: without its directory, unless another has the same."""
    failed = details["failed"]
    places = [*details["steps"], *details["blocked"], *([failed] if failed is not None else [])]
    files = {place["file"] for place in places}
    several = Counter(os.path.basename(file) for file in files)
    return {file: file if several[name] > 1 else name for file in files for name in [os.path.basename(file)]}


def _group(step: Mapping[str, Any]) -> str:
    """Steps of one line that are told together."""
    does: str = step["does"]
    return does if does in ("acquire", "try", "release", "wait") and step["comment"] else "access"


def _note(step: Mapping[str, Any], notes: list[str]) -> str:
    if step["does"] != "access":
        comment = step["comment"]
        return comment if comment not in notes else ""
    name, value = step["variable"], step["value"]
    verb = "writes" if step["write"] else "reads"
    if not name:
        note = f"{verb} ({value})" if value and step["write"] else ""
        return note if note not in notes else ""
    if step["write"] and notes and notes[-1].startswith(f"reads {name}: ") and value:
        return f"writes {value}"
    note = f"{verb} {name}" + (f": {value}" if value else "")
    return note if note not in notes else ""


def _ends(details: Mapping[str, Any], found: list[Row], files: Mapping[str, str]) -> list[Row]:
    """Where it fails."""
    failed = details["failed"]
    if failed is not None:
        message = failed["message"].partition("\n")[0]
        note = f"{failed['type']}: {message}" if message else failed["type"]
        last = found[-1] if found else None
        file = files[failed["file"]]
        if last is not None and (last.unit, last.file, last.line) == (failed["unit"], file, failed["line"]):
            last.mark = "!"
            last.notes.append(note)
            return []
        return [Row(failed["unit"], file, failed["line"], failed["text"], "!", notes=[note])]
    ends = []
    blocked = details["blocked"]
    # Whoever waits for the end of those who wait for each other has no part in it.
    for one in [one for one in blocked if one["holds"]] or blocked:
        thing = one["waits_for"]
        if thing is None:
            note = "sleeps" if one["does"] == "sleep" else ""
        elif thing["kind"] == "unit":
            note = f"waits for the end of {thing['name']}"
        else:
            note = f"waits for {thing['name']}"
        ends.append(
            Row(one["unit"], files[one["file"]], one["line"], one["text"], "!", notes=[note] if note else [])
        )
    return ends
