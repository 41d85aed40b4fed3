"""The tables of `check.py`, its figures, and where headway does worse than a peer."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from check_corpus import Program
from check_sessions import Search
from check_speed import CANNOT, GOALS

Bugs = Mapping[str, Mapping[str, Sequence[Search] | str]]
"""Of each tool, of each program: the searches, or why it cannot run it."""
Speeds = Mapping[str, Mapping[str, Sequence[tuple[float | None, str]]]]
"""Of each program, of each tool: schedules per second in each round, and notes."""

MUCH = 3.0
"""So many times as many schedules as the best peer are worth a line."""


def speed_table(speeds: Speeds) -> str:
    parts = []
    for program, tools in speeds.items():
        rows = [("tool", "schedules/s", "")]
        for tool, rounds in tools.items():
            rates = [rate for rate, _ in rounds if rate is not None]
            notes = [note for note in dict.fromkeys(note for _, note in rounds) if note]
            if why := CANNOT.get((tool, program)):
                notes = [f"cannot run: {why}"]
            goal = GOALS.get((tool, program))
            if rates and goal:
                met = "met" if statistics.median(rates) >= goal else "missed"
                notes.append(f"goal {goal:,} {met}")
            rows.append((tool, f"{statistics.median(rates):,.0f}" if rates else "-", ", ".join(notes)))
        parts.append(f"{program}\n\n{_aligned(rows)}")
    return "\n\n".join(parts)


def figures(searches: Mapping[str, Sequence[Search] | str], programs: Sequence[Program]) -> dict[str, object]:
    """The numbers of one line of the table of bugs."""
    at_all = at_any = cannot = buggy = correct = accused = no_answer = 0
    schedules: list[int] = []
    seconds: list[float] = []
    for program in programs:
        each = searches.get(program.name)
        if each is None:
            continue
        bug = program.kind != "ok"
        buggy += bug
        if isinstance(each, str):
            cannot += bug
            continue
        no_answer += sum(search.how.startswith(("no end", "died")) for search in each)
        if not bug:
            correct += 1
            accused += any(search.found for search in each)
            continue
        hits = [search for search in each if search.found]
        at_all += len(hits) == len(each)
        at_any += bool(hits)
        schedules += [search.schedules for search in hits if search.schedules is not None]
        seconds += [search.seconds for search in hits]
    return {
        "bugs": buggy,
        "at_all_seeds": at_all,
        "at_any_seed": at_any,
        "cannot_run": cannot,
        "schedules": statistics.median(schedules) if schedules else None,
        "seconds": statistics.median(seconds) if seconds else None,
        "correct": correct,
        "accused": accused,
        "no_answer": no_answer,
    }


def bug_table(bugs: Bugs, programs: Sequence[Program]) -> str:
    rows = [
        (
            "tool",
            "found at all seeds",
            "at any seed",
            "cannot run",
            "schedules",
            "seconds",
            "accused",
            "no answer",
        )
    ]
    for tool, searches in bugs.items():
        line = figures(searches, programs)
        rows.append(
            (
                tool,
                f"{line['at_all_seeds']} of {line['bugs']}",
                str(line["at_any_seed"]),
                str(line["cannot_run"]),
                _number(line["schedules"], "{:.0f}"),
                _number(line["seconds"], "{:.3f}"),
                f"{line['accused']} of {line['correct']}",
                str(line["no_answer"]),
            )
        )
    return _aligned(rows)


def worse(bugs: Bugs, programs: Sequence[Program], ours: str = "headway") -> list[str]:
    """Programs that headway missed, accused, or needed many more schedules for than a peer did, a line each."""
    lines = []
    for program in programs:
        mine = bugs.get(ours, {}).get(program.name)
        if mine is None or isinstance(mine, str):
            continue
        if program.kind == "ok":
            if any(search.found for search in mine):
                lines.append(f"{program.arm} {program.name}: accused, and it is correct")
            continue
        missed = sum(not search.found for search in mine)
        what = {search.how or "nothing" for search in mine if not search.found}
        if missed:
            lines.append(
                f"{program.arm} {program.name}: missed at {missed} of {len(mine)} seeds ({', '.join(what)})"
            )
        best, peer = min(
            ((_median(each), tool) for tool, each in _peers(bugs, program)), default=(float("inf"), "")
        )
        if peer and (missed or _median(mine) > max(10.0, MUCH * best)):
            own = "-" if missed == len(mine) else f"{_median(mine):.0f}"
            lines.append(f"{program.arm} {program.name}: {own} schedules, {peer} {best:.0f}")
    return lines


def accusations(bugs: Bugs, programs: Sequence[Program]) -> list[str]:
    """The correct programs that a tool accused, a line for each tool."""
    lines = []
    for tool, searches in bugs.items():
        names = []
        for program in programs:
            each = searches.get(program.name, "")
            if program.kind == "ok" and not isinstance(each, str) and any(search.found for search in each):
                how = ", ".join(sorted({search.how for search in each if search.found}))
                names.append(f"{program.name} ({how})")
        if names:
            lines.append(f"{tool}: {', '.join(names)}")
    return lines


def _peers(bugs: Bugs, program: Program) -> Iterable[tuple[str, Sequence[Search]]]:
    """Those that found its bug at all seeds."""
    for tool, searches in bugs.items():
        each = searches.get(program.name, "")
        explores = not tool.startswith(("headway", "plain"))
        if explores and not isinstance(each, str) and all(search.found for search in each):
            yield tool, each


def _median(searches: Sequence[Search]) -> float:
    known = [search.schedules for search in searches if search.found and search.schedules is not None]
    return statistics.median(known) if known else float("inf")


def _number(value: object, form: str) -> str:
    return "-" if value is None else form.format(value)


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    text = []
    for number, row in enumerate(rows):
        text.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number == 0:
            text.append("  ".join("-" * width for width in widths).rstrip())
    return "\n".join(text)
