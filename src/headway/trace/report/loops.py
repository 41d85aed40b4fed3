"""The report's section on tasks: one row a coroutine, and how late the loops were."""

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

_ROWS = 8
_PLACES = 4
_NAME = 24
_WAITS = range(Kind.LOCK, Kind.OTHER + 1)


def tasks(contents: Contents, columns: int) -> Iterable[Text]:
    """How busy each loop was, and what its tasks did, by coroutine; those first that had their loop for longest."""
    trace, crowds = contents.trace, contents.crowds
    if not crowds:
        return
    for thread in _carriers(trace):
        for line in _loop(contents, thread):
            yield Text(cut(line, columns))
    alive = sum(crowd.alive for crowd in crowds)
    ends = [f"{sum(getattr(crowd, name) for crowd in crowds)} {name}" for name in ("failed", "cancelled")]
    ends = [text for text in [*ends, f"{alive} not ended"] if not text.startswith("0 ")]
    own = [crowd for crowd in crowds if not _of_loop(crowd)]
    total = sum(crowd.count for crowd in own)
    yield Text(f"{count(total, 'task')}" + (f": {', '.join(ends)}" if ends else ""))
    yield Text(
        f"  {'coroutine':{_NAME}} {'tasks':>7} {'had loop':>8} {'longest':>8} {'in line':>8}  waited", "dim"
    )
    for crowd in own[:_ROWS]:
        yield Text(_row(crowd, trace, columns))
    if len(own) > _ROWS:
        yield Text(f"  and {count(len(own) - _ROWS, 'more coroutine')}", "dim")
    yield from _left(trace, columns)


def _left(trace: Trace, columns: int) -> Iterable[Text]:
    """Tasks that waited to the end, those at one place together."""
    places: dict[tuple[Kind, tuple[Frame, ...]], list[Task]] = {}
    for task in trace.tasks:
        if task.waits_for is not None:
            places.setdefault((task.waits_for, task.stack), []).append(task)
    most = sorted(places.items(), key=lambda item: -len(item[1]))
    for (kind, stack), waiting in most[:_PLACES]:
        others = f" and {count(len(waiting) - 1, 'task')} like it" if len(waiting) > 1 else ""
        frame = own_frame(stack)
        where = f" at {short_path(frame.file, trace.meta.cwd)}:{frame.line}" if frame is not None else ""
        text = f"  to the end, `{waiting[0].name}`{others} waited{where} for {WORDS[kind]}"
        yield Text(cut(text, columns))
    if len(most) > _PLACES:
        yield Text(f"  and others at {count(len(most) - _PLACES, 'more place')}", "dim")


def _carriers(trace: Trace) -> list[Thread]:
    ids = {task.carrier for task in trace.tasks}
    return [thread for thread in trace.threads if thread.id in ids]


def _loop(contents: Contents, thread: Thread) -> Iterable[str]:
    """How much of the time a loop ran tasks, and how late these were."""
    mine = [task for task in contents.trace.tasks if task.carrier == thread.id]
    span = max(task.end_ns for task in mine) - min(task.start_ns for task in mine)
    steps = sum(task.steps for task in mine)
    late = sum(int(task.totals[LOOP]) for task in mine) // max(steps, 1)
    most = max(steps_of(contents.trace).latest_ns.get(thread.id, 0), late)
    busy = percent(min(sum(task.loop_ns for task in mine), span), span)
    yield f"loop of {name_of(contents, thread)}: ran tasks {busy} of {duration(span)}"
    yield f"  steps came {duration(late)} late on average" + (
        f", {duration(most)} at most" if most > late else ""
    )


def _of_loop(crowd: Crowd) -> bool:
    """Whether the loop itself makes these, when it shuts down."""
    return crowd.coroutine is not None and crowd.coroutine.file.endswith("asyncio/base_events.py")


def _row(crowd: Crowd, trace: Trace, columns: int) -> str:
    waited = [(int(crowd.totals[kind]), kind) for kind in _WAITS if crowd.totals[kind]]
    words = ", ".join(f"{WORDS[kind]} {duration(ns)}" for ns, kind in sorted(waited, reverse=True)[:2])
    row = (
        f"  {cut_name(crowd.name, _NAME):{_NAME}} {crowd.count:>7,} {duration(crowd.loop_ns):>8} "
        f"{duration(crowd.longest_ns):>8} {duration(int(crowd.totals[LOOP])):>8}  {words or '-'}"
    )
    if crowd.coroutine is not None:
        place = f"  {short_path(crowd.coroutine.file, trace.meta.cwd)}:{crowd.coroutine.line}"
        row += place if len(row + place) <= columns else ""
    return cut(row, columns)
