"""The tables of the terminal report; each gives its lines, or none if it has nothing to tell."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from headway.trace.figures import count, duration, percent
from headway.trace.format import Ints, Kind
from headway.trace.gil import Gil
from headway.trace.interval import KINDS, RUNNING
from headway.trace.model import Process, Thread
from headway.trace.report.contents import Contents
from headway.trace.report.lanes import LETTERS, QUIET, STYLES, WORDS, bar
from headway.trace.stacks import Frame, own_frame, short_path
from headway.trace.waits import Wait

TITLES = {
    "units": "What each thread did",
    "time": "Over time",
    "tasks": "Tasks",
    "greenlets": "Greenlets",
    "jobs": "Jobs",
    "gil": "The GIL",
    "locks": "Locks that cost most",
    "waits": "Longest waits",
    "findings": "Findings",
    "notes": "Notes",
}
NAME_COLUMNS = 18
ROWS = 16
"""Threads that are shown; the rest is counted."""
LOCKS = 6
WAITS = 8
_TRIFLE = 0.001
"""Locks that cost less than this share of the run are left to the JSON document."""
_BAR = 20
_FRAMES = 3

# what a thread that matters spends its time on: it runs, wants to run, or is held up by a lock
_MATTERS = [Kind.PYTHON, Kind.NATIVE, Kind.GIL, Kind.CPU, Kind.LOCK, RUNNING]


def cut(text: str, columns: int) -> str:
    """Text in at most so many columns, with `…` where something was left out."""
    return text if len(text) <= columns else text[: max(columns - 1, 0)] + "…"


def cut_name(text: str, columns: int) -> str:
    """A name in at most so many columns, cut before its end, which tells `ThreadPoolExecutor-0_3` apart."""
    tail = min(6, columns // 2)
    return text if len(text) <= columns else text[: max(columns - 1 - tail, 0)] + "…" + text[-tail:]


def name_of(contents: Contents, thread: Thread) -> str:
    """A thread's name, with the process if there are several."""
    return thread.name if len(contents.trace.processes) == 1 else f"{thread.pid} {thread.name}"


def shown(contents: Contents) -> list[Process | Thread]:
    """Processes, each followed by those of its threads that matter most, as they started.

    A process of one thread has that thread's row only, under the process's name.
    """
    threads = contents.trace.threads
    best = sorted(threads, key=lambda t: (-int(t.totals[_MATTERS].sum()), t.id))[:ROWS]
    chosen = {thread.id for thread in best}
    several = len(contents.trace.processes) > 1
    out: list[Process | Thread] = []
    processes = 0
    for process in contents.trace.processes:
        mine: list[Process | Thread] = [thread for thread in process.threads if thread.id in chosen]
        alone = len(process.threads) == 1
        if several and ((mine and not alone) or (not process.threads and processes < ROWS)):
            out.append(process)
            processes += 1
        out += mine
    return out


def _cells(kinds: Iterable[int | None]) -> Text:
    """Cells of a bar or lane: letter and colour say the same."""
    out = Text()
    run, last = "", None
    for kind in [*kinds, -1]:
        if kind != last and run:
            out.append(run, STYLES.get(last, QUIET) if last is not None else "")
            run = ""
        last = kind
        run += " " if kind is None else LETTERS.get(kind, "")
    return out


def _label(contents: Contents, unit: Process | Thread, columns: int = NAME_COLUMNS) -> Text:
    several = len(contents.trace.processes) > 1
    process = contents.trace.unit(unit.process) if several and unit.process is not None else unit
    if isinstance(process, Process) and (process is unit or len(process.threads) == 1):
        return Text.assemble((cut(f"{process.pid} {process.name}", columns).ljust(columns), "bold"))
    indent = "  " if several else ""
    return Text((indent + cut_name(unit.name, columns - len(indent))).ljust(columns))


# --- units


def units(contents: Contents, columns: int) -> Iterable[Text]:
    """A row a thread: how long it lived, a bar of its states, the states in words."""
    name = NAME_COLUMNS + (8 if columns >= 100 else 0)
    rows = shown(contents)
    for unit in rows:
        life = duration(unit.end_ns - unit.start_ns)
        line = _label(contents, unit, columns=name) + Text(f" {life:>7}  ")
        if isinstance(unit, Process) and not unit.threads:
            yield line + Text("not Python" if unit.traced else "not traced", "dim")
            continue
        width = _BAR + (10 if columns >= 100 else 0)
        line += _cells(bar(unit.totals, width)) + Text("  ")
        yield line + Text(_in_words(unit.totals, columns - line.cell_len))
    left_out = len(contents.trace.threads) - sum(isinstance(unit, Thread) for unit in rows)
    if left_out:
        yield Text(f"and {count(left_out, 'thread')} more that ran less", "dim")


def _in_words(totals: Ints, columns: int) -> str:
    """`python 61 %, wants GIL 30 %`: the largest shares that fit."""
    whole = int(totals.sum())
    out = ""
    for kind in sorted(range(KINDS), key=lambda kind: -int(totals[kind])):
        if int(totals[kind]) < 0.005 * whole or not totals[kind]:
            break
        part = f"{WORDS[kind]} {percent(int(totals[kind]), whole)}"
        longer = f"{out}, {part}" if out else part
        if len(longer) > columns:
            break
        out = longer
    return out


# --- lanes


def lanes(contents: Contents, columns: int) -> Iterable[Text]:
    """A row a thread over time, the scale, and what the letters mean."""
    rows = shown(contents)
    if contents.lanes is None or contents.trace.wall_ns <= 0:
        return
    if not any(isinstance(unit, Thread) for unit in rows):
        return
    used: set[int] = set()
    for unit in rows:
        used |= {kind for kind in bar(unit.totals, _BAR) if kind is not None}
        if isinstance(unit, Process):
            if unit.threads:
                yield _label(contents, unit, columns=columns - 2)
            continue
        kinds = contents.lanes.of(unit)
        used |= {kind for kind in kinds if kind is not None}
        yield _label(contents, unit) + Text(" │", "dim") + _cells(kinds) + Text("│", "dim")
    yield _scale(contents, columns)
    legend = Text()
    for kind, letter in LETTERS.items():
        if kind not in used:
            continue
        piece = Text.assemble((letter, STYLES.get(kind, QUIET)), f" {WORDS[kind]}")
        if legend and legend.cell_len + 3 + piece.cell_len > columns:
            yield legend
            legend = Text()
        legend = legend + Text("   ") + piece if legend else piece
    yield legend


def _scale(contents: Contents, columns: int) -> Text:
    width = contents.lanes.columns if contents.lanes else 0
    left, middle, right = "0 s", duration(contents.trace.wall_ns // 2), duration(contents.trace.wall_ns)
    line = left.ljust(width // 2 - len(middle) // 2) + middle
    line = line.ljust(width - len(right)) + right
    return Text(" " * (NAME_COLUMNS + 2) + line, "dim")


# --- the GIL


def gil(contents: Contents, columns: int) -> Iterable[Text]:
    """Who held each GIL and who waited for it."""
    gils = [
        one
        for one in contents.gils
        if max(one.waited_ns, one.held_ns) >= 0.001 * one.span_ns or one is contents.gils[0]
    ]
    if len(gils) > 4:
        gils.sort(key=lambda one: -one.waited_ns)
    for one in gils[:4]:
        yield Text(_gil_sentence(contents, one))
        yield from _gil_rows(contents, one, columns)
    if len(gils) > 4:
        yield Text(f"and {count(len(gils) - 4, 'GIL')} more", "dim")


def _gil_sentence(contents: Contents, one: Gil) -> str:
    whose = f" of process {one.process.pid}" if len(contents.trace.processes) > 1 else ""
    number = f" {one.number}" if not one.exact else ""
    held = f"GIL{number}{whose}: held {percent(one.held_ns, one.span_ns)} of {duration(one.span_ns)}"
    if one.waited_ns or len(one.held) != 1:
        return f"{held}; threads waited {duration(one.waited_ns)} for it"
    return f"{held} by {contents.trace.unit(next(iter(one.held))).name}"


def _gil_rows(contents: Contents, one: Gil, columns: int) -> Iterable[Text]:
    ids = sorted({*one.held, *one.waited}, key=lambda id_: -(one.held.get(id_, 0) + one.waited.get(id_, 0)))
    if not one.waited_ns and len(ids) <= 1:
        return
    yield Text(f"  {'':{NAME_COLUMNS}} {'held':>8} {'':>6}  {'waited':>8} {'':>6}", "dim")
    for id_ in ids[:6]:
        held, waited = one.held.get(id_, 0), one.waited.get(id_, 0)
        yield Text(
            f"  {cut_name(contents.trace.unit(id_).name, NAME_COLUMNS):{NAME_COLUMNS}} {duration(held):>8} "
            f"{percent(held, one.span_ns):>6}  {duration(waited):>8} {percent(waited, one.span_ns):>6}"
        )
    if len(ids) > 6:
        yield Text(f"  and {count(len(ids) - 6, 'thread')} more", "dim")
    whole = sum(ns for _, _, ns in one.long_holds)
    for frame, own, ns in one.long_holds[:3]:
        inside = "" if frame == own else f", in {frame.function}"
        text = f"  {percent(ns, whole):>5} of long holds ended in {_place(own, contents)}{inside}"
        yield Text(cut(text, columns))


# --- locks


def locks(contents: Contents, columns: int) -> Iterable[Text]:
    """Locks of the program, with who waited for whom."""
    least = _TRIFLE * contents.trace.wall_ns
    proper = [lock for lock in contents.locks if lock.proper and (lock.wait_ns >= least or lock.open_waits)]
    for lock in proper[:LOCKS]:
        still = f", {lock.open_waits} of them to the end" if lock.open_waits else ""
        yield Text(cut(lock.name(contents.trace.meta.cwd), columns), "bold")
        yield Text(
            cut(
                f"  {count(lock.waits, 'wait')}{still}: {duration(lock.wait_ns)} in all, "
                f"the longest {duration(lock.longest_ns)}",
                columns,
            )
        )
        for edge in lock.edges[:3]:
            waiter = name_of(contents, edge.waiter) if edge.waiter else "a thread"
            owner = name_of(contents, edge.owner) if edge.owner else "an unknown holder"
            yield Text(
                cut(
                    f"  {waiter} waited for {owner}: {duration(edge.wait_ns)}, {count(edge.waits, 'wait')}",
                    columns,
                )
            )
        if len(lock.edges) > 3:
            yield Text(f"  and {count(len(lock.edges) - 3, 'pair')} more", "dim")
        yield from _stack("  longest at ", lock.longest, contents, columns)
        yield from _stack("  then held by ", lock.release, contents, columns, at_most=1)
    if len(proper) > LOCKS:
        yield Text(f"and {count(len(proper) - LOCKS, 'lock')} more", "dim")


# --- waits


def waits(contents: Contents, columns: int) -> Iterable[Text]:
    """The longest waits, one of each place; those that had not ended first.

    Threads that wait for a lock are told one by one; idle workers of a pool, at one place, are not.
    """
    groups: dict[tuple[object, ...], list[Wait]] = {}
    for wait in contents.waits:
        alone = wait.thread.id if wait.kind is Kind.LOCK or not wait.frames else wait.thread.process
        groups.setdefault((alone, wait.kind, wait.end_ns is None, wait.frames), []).append(wait)
    for group in list(groups.values())[:WAITS]:
        yield from _wait(group, contents, columns)
    if len(groups) > WAITS:
        yield Text(f"and {count(len(groups) - WAITS, 'place')} more", "dim")


def _wait(group: list[Wait], contents: Contents, columns: int) -> Iterable[Text]:
    wait = group[0]
    trace = contents.trace
    head = (
        Text(f"{duration(wait.ns):>7}  ")
        + Text(name_of(contents, wait.thread), "bold")
        + Text(f" {WORDS[wait.kind]}")
    )
    if wait.on and wait.lock is None:
        head += Text(f", {wait.on}")
    owner = wait.owner if wait.kind is Kind.LOCK else None
    if owner is not None:
        also = " and released" if wait.woken_by is owner else ""
        head += Text(f", held{also} by {_seen_from(wait.thread, owner, contents)}")
    if wait.woken_by is not None and wait.woken_by is not owner:
        head += Text(f", woken by {_seen_from(wait.thread, wait.woken_by, contents)}")
    head += Text(f", at {duration(wait.start_ns - trace.start_ns)}", "dim")
    if wait.end_ns is None:
        head += Text(", to the end", "bold red" if wait.kind is Kind.LOCK else "bold")
    if len(group) > 1:
        head += Text(f" (+{len(group) - 1} like it)", "dim")
    yield head
    if wait.lock is not None and wait.lock.proper:
        yield Text(cut(f"{'':9}{wait.lock.name(trace.meta.cwd)}", columns), "dim")
    yield from _stack(" " * 9, wait.frames, contents, columns)


def _seen_from(thread: Thread, other: Thread, contents: Contents) -> str:
    """A thread's name, with its process if that is another one."""
    return other.name if other.process == thread.process else name_of(contents, other)


def _place(frame: Frame, contents: Contents) -> str:
    line = f":{frame.line}" if frame.line else ""
    return f"{short_path(frame.file, contents.trace.meta.cwd)}{line} {frame.function}"


def _stack(
    lead: str, frames: tuple[Frame, ...], contents: Contents, columns: int, *, at_most: int = _FRAMES
) -> Iterable[Text]:
    """A stack in one line, the program's own innermost frame first: `app.py:12 work < app.py:40 main`."""
    if not frames:
        return
    own = own_frame(frames)
    start = frames.index(own) if own else 0
    inside = f" (in {frames[0].function})" if start else ""
    places = [_place(frame, contents) for frame in frames[start : start + at_most]]
    text = lead + places[0] + inside
    for place in places[1:]:
        if len(text) + 3 + len(place) > columns:
            break
        text += f" < {place}"
    yield Text(cut(text, columns), "dim" if lead.isspace() else "")
