"""The report's sections on tasks and on greenlets: one row a function, and how late the loops were."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from headway.trace.figures import count, duration, percent
from headway.trace.format import Kind
from headway.trace.interval import LOOP
from headway.trace.model import Task, Thread, Trace
from headway.trace.report.contents import Contents
from headway.trace.report.lanes import WORDS
from headway.trace.report.tables import cut, cut_name, name_of
from headway.trace.stacks import Frame, own_frame, short_path
from headway.trace.steps import steps_of
from headway.trace.tasks import Crowd
from headway.units import UnitKind

_ROWS = 8
_PLACES = 4
_NAME = 24
_WAITS = range(Kind.LOCK, Kind.OTHER + 1)


def tasks(contents: Contents, columns: int) -> Iterable[Text]:
    """How busy each loop was, and what its tasks did, by coroutine; those first that had their loop for longest."""
    crowds = [crowd for crowd in contents.crowds if crowd.kind is UnitKind.TASK]
    if not crowds:
        return
    for thread in _carriers(contents.trace, UnitKind.TASK):
        for line in _loop(contents, thread):
            yield Text(cut(line, columns))
    yield from _table(contents, [crowd for crowd in crowds if not _of_loop(crowd)], crowds, columns)


def greenlets(contents: Contents, columns: int) -> Iterable[Text]:
    """How busy each hub was, and what greenlets did, by function; those first that had their thread for longest."""
    trace = contents.trace
    crowds = [crowd for crowd in contents.crowds if crowd.kind is UnitKind.GREENLET]
    if not crowds:
        return
    for thread in _carriers(trace, UnitKind.GREENLET):
        for line in _greenlets_of(contents, thread):
            yield Text(cut(line, columns))
    yield from _table(contents, crowds, crowds, columns)


def _table(contents: Contents, own: list[Crowd], crowds: list[Crowd], columns: int) -> Iterable[Text]:
    trace, kind = contents.trace, crowds[0].kind
    of_task = kind is UnitKind.TASK
    alive = sum(crowd.alive for crowd in crowds)
    ends = [f"{sum(getattr(crowd, name) for crowd in crowds)} {name}" for name in ("failed", "cancelled")]
    ends = [text for text in [*ends, f"{alive} not ended"] if not text.startswith("0 ")]
    total = sum(crowd.count for crowd in own)
    yield Text(f"{count(total, kind.value)}" + (f": {', '.join(ends)}" if ends else ""))
    what, how_many, had = (
        ("coroutine", "tasks", "had loop") if of_task else ("function", "number", "had thread")
    )
    yield Text(
        f"  {what:{_NAME}} {how_many:>7} {had:>{_had(kind)}} {'longest':>8} {'in line':>8}  waited", "dim"
    )
    for crowd in own[:_ROWS]:
        yield Text(_row(crowd, trace, columns))
    if len(own) > _ROWS:
        yield Text(f"  and {count(len(own) - _ROWS, f'more {what}')}", "dim")
    yield from _left(trace, kind, columns)


def _had(kind: UnitKind) -> int:
    return 8 if kind is UnitKind.TASK else 10


def _left(trace: Trace, kind_of: UnitKind, columns: int) -> Iterable[Text]:
    """Tasks, or greenlets, that waited to the end, those at one place together."""
    places: dict[tuple[Kind, tuple[Frame, ...]], list[Task]] = {}
    for task in trace.tasks:
        if task.waits_for is not None and task.kind is kind_of and task.role is None:
            places.setdefault((task.waits_for, task.stack), []).append(task)
    most = sorted(places.items(), key=lambda item: -len(item[1]))
    for (kind, stack), waiting in most[:_PLACES]:
        others = f" and {count(len(waiting) - 1, kind_of.value)} like it" if len(waiting) > 1 else ""
        frame = own_frame(stack)
        where = f" at {short_path(frame.file, trace.meta.cwd)}:{frame.line}" if frame is not None else ""
        switched = kind_of is UnitKind.GREENLET and kind is Kind.OTHER
        what = "had given way" if switched else f"waited{where} for {WORDS[kind]}"
        text = f"  to the end, `{waiting[0].name}`{others} {what}{where if switched else ''}"
        yield Text(cut(text, columns))
    if len(most) > _PLACES:
        yield Text(f"  and others at {count(len(most) - _PLACES, 'more place')}", "dim")


def _carriers(trace: Trace, kind: UnitKind) -> list[Thread]:
    ids = {task.carrier for task in trace.tasks if task.kind is kind}
    return [thread for thread in trace.threads if thread.id in ids]


def _loop(contents: Contents, thread: Thread) -> Iterable[str]:
    """How much of the time a loop ran tasks, and how late these were."""
    mine = _on(contents.trace, UnitKind.TASK, thread)
    span = max(task.end_ns for task in mine) - min(task.start_ns for task in mine)
    steps = sum(task.steps for task in mine)
    late = sum(int(task.totals[LOOP]) for task in mine) // max(steps, 1)
    most = max(steps_of(contents.trace).latest_ns.get(thread.id, 0), late)
    busy = percent(min(sum(task.loop_ns for task in mine), span), span)
    yield f"loop of {name_of(contents, thread)}: ran tasks {busy} of {duration(span)}"
    yield f"  steps came {duration(late)} late on average" + (
        f", {duration(most)} at most" if most > late else ""
    )


def _greenlets_of(contents: Contents, thread: Thread) -> Iterable[str]:
    """How much of the time a hub ran greenlets, what it waited for, and how late they were."""
    mine = _on(contents.trace, UnitKind.GREENLET, thread)
    own = [greenlet for greenlet in mine if greenlet.role != "hub"]
    switches = sum(greenlet.steps for greenlet in own)
    hub = max((g for g in mine if g.role == "hub"), key=lambda g: g.end_ns - g.start_ns, default=None)
    if hub is None:
        if any(greenlet.role is None for greenlet in own):
            yield f"greenlets of {name_of(contents, thread)}: {switches:,} switch{'' if switches == 1 else 'es'}"
        return
    span = max(hub.end_ns - hub.start_ns, 1)
    waited = sum(int(hub.totals[kind]) for kind in _WAITS)
    late = sum(int(greenlet.totals[LOOP]) for greenlet in own) // max(switches, 1)
    most = max(steps_of(contents.trace).latest_greenlet_ns.get(thread.id, 0), late)
    yield (
        f"hub of {name_of(contents, thread)}: ran greenlets {percent(int(hub.totals[LOOP]), span)} of "
        f"{duration(span)}, waited for events {percent(waited, span)}"
    )
    yield f"  switches came {duration(late)} late on average" + (
        f", {duration(most)} at most" if most > late else ""
    )


def _on(trace: Trace, kind: UnitKind, thread: Thread) -> list[Task]:
    return [task for task in trace.tasks if task.kind is kind and task.carrier == thread.id]


def _of_loop(crowd: Crowd) -> bool:
    """Whether the loop itself makes these, when it shuts down."""
    return crowd.coroutine is not None and crowd.coroutine.file.endswith("asyncio/base_events.py")


def _row(crowd: Crowd, trace: Trace, columns: int) -> str:
    waited = [(int(crowd.totals[kind]), kind) for kind in _WAITS if crowd.totals[kind]]
    words = ", ".join(f"{WORDS[kind]} {duration(ns)}" for ns, kind in sorted(waited, reverse=True)[:2])
    row = (
        f"  {cut_name(crowd.name, _NAME):{_NAME}} {crowd.count:>7,} {duration(crowd.loop_ns):>{_had(crowd.kind)}} "
        f"{duration(crowd.longest_ns):>8} {duration(int(crowd.totals[LOOP])):>8}  {words or '-'}"
    )
    if crowd.coroutine is not None:
        place = f"  {short_path(crowd.coroutine.file, trace.meta.cwd)}:{crowd.coroutine.line}"
        row += place if len(row + place) <= columns else ""
    return cut(row, columns)
