"""leaked, of tasks: nobody kept a reference to them, so they were thrown away while they waited."""

from __future__ import annotations

from headway.trace.figures import count, duration
from headway.trace.findings.finding import Finding
from headway.trace.model import Task, Trace
from headway.trace.stacks import Frame, own_frame, short_path
from headway.units import FindingKind, Severity


def destroyed(trace: Trace, *, since_ns: int = 0, image_index: int | None = None) -> list[Finding]:
    """Findings on the tasks that were thrown away before they had ended, one for each line that made them.

    Both must hold: asyncio has said itself that it "was destroyed but it is pending"; and its event loop went on
    afterwards. What is left when a loop ends is thrown away as well, some time.

    Args:
        trace: The trace.
        since_ns: Leave out those that were made before.
        image_index: Look at one image only.
    """
    latest: dict[tuple[int, int | None], int] = {}
    for task in trace.tasks:
        if not task.destroyed:
            of = (task.process, task.carrier)
            latest[of] = max(latest.get(of, 0), task.end_ns if task.outcome else task.since_ns)
    places: dict[tuple[int, Frame | None, Frame | None], list[Task]] = {}
    for task in trace.tasks:
        here = task.start_ns >= since_ns and image_index in (None, task.image_index)
        if here and task.destroyed and latest.get((task.process, task.carrier), 0) > task.end_ns:
            places.setdefault((task.process, task.created_at, task.coroutine), []).append(task)
    return [_finding(trace, place, tasks) for (_, place, _), tasks in places.items()]


def _finding(trace: Trace, place: Frame | None, tasks: list[Task]) -> Finding:
    cwd = trace.meta.cwd
    made = f", made at {short_path(place.file, cwd)}:{place.line}," if place is not None else ""
    stood = own_frame(tasks[0].stack)
    at = f" at {short_path(stood.file, cwd)}:{stood.line}" if stood is not None else ""
    if len(tasks) == 1:
        sentence = (
            f"task `{tasks[0].name}`{made} was thrown away while it waited{at}, "
            f"{duration(tasks[0].end_ns - tasks[0].start_ns)} after it was made"
        )
    else:
        sentence = f"{count(len(tasks), 'task')}{made} were thrown away while they waited, the first{at}"
    return Finding(
        kind=FindingKind.LEAKED,
        severity=Severity.WARNING,
        sentence=sentence,
        evidence=[
            "nothing in the program had a reference to it, and an event loop has none to a task that waits"
        ],
        advice=(
            "keep each task until it is done: in an asyncio.TaskGroup, or in a set from which "
            "task.add_done_callback(tasks.discard) takes it"
        ),
        start_ns=min(task.start_ns for task in tasks),
        end_ns=max(task.end_ns for task in tasks),
        weight_ns=sum(task.end_ns - task.start_ns for task in tasks),
        units=[task.id for task in tasks],
        where=list(dict.fromkeys(frame.where for frame in (place, stood) if frame is not None)),
    )
