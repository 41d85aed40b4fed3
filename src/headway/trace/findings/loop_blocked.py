"""loop-blocked: a task kept its event loop, or a greenlet its hub, so long that others that could go on were late."""

from __future__ import annotations

from headway.trace.figures import count, duration, percent
from headway.trace.findings.finding import Finding
from headway.trace.format import InnerKind, Kind
from headway.trace.gil import Gil
from headway.trace.interval import RUNNING, UNKNOWN
from headway.trace.locks import Lock
from headway.trace.model import Trace
from headway.trace.stacks import Frame, own_frame, short_path
from headway.trace.steps import LongStep, Steps, steps_of
from headway.trace.tasks import name_of_entry
from headway.units import FindingKind, Severity

LONG_NS = 100_000_000
"""A step kept its loop for so long by its own doing. asyncio's debug mode warns from the same on
(`loop.slow_callback_duration`)."""
LATE = 1
"""So many other tasks stood in line afterwards. Where nobody waited, nobody lost anything."""

_NOT_ITS_OWN = [Kind.GIL, Kind.CPU, Kind.OTHER, UNKNOWN]
"""Time in which the loop's thread could not run: it wanted the GIL or a core, or was off the core for a reason that
was not seen, as on a busy machine. This is taken off before a step is judged. Of a core the larger figure counts: the
kernel's has also what a thread waited for one on its way out of a call."""

_ADVICE = {
    Kind.SLEEP: "await asyncio.sleep() in place of time.sleep()",
    Kind.IO: "use an async library for it, or await asyncio.to_thread(...)",
    Kind.PROCESS: "use asyncio.create_subprocess_exec(), or await asyncio.to_thread(...)",
    Kind.PYTHON: "run it in a process (loop.run_in_executor), or give way in between: await asyncio.sleep(0)",
}
_GREENLET_ADVICE = {
    Kind.SLEEP: "gevent.sleep() in place of time.sleep(), or gevent.monkey.patch_all() before all else",
    Kind.PROCESS: "use gevent.subprocess, or gevent.monkey.patch_all() before all else",
    Kind.PYTHON: "run it in a process or, if it lets go of the GIL, in gevent.get_hub().threadpool; or give way in "
    "between: gevent.sleep(0)",
}
_GREENLET_WAIT_ADVICE = (
    "call gevent.monkey.patch_all() before all else, or run it in gevent.get_hub().threadpool"
)
_WAIT_ADVICE = "use asyncio's own locks and queues in tasks, or await asyncio.to_thread(...)"
_DOING = {
    Kind.PYTHON: "running Python",
    Kind.NATIVE: "running native code",
    RUNNING: "running",
    Kind.SLEEP: "sleeping",
    Kind.IO: "in I/O",
    Kind.PROCESS: "waiting for a process",
}


class LoopBlocked:
    """Finds tasks, and greenlets of gevent, that blocked their event loop.

    Both must hold of a step: what it did itself took `LONG_NS`, where the time that its thread stood in line
    for the GIL or a core does not count; and at least `LATE` other tasks stood in line when the loop had next
    looked for what had come. There is one finding for all such steps of a loop that run the same coroutine.
    """

    def find(self, trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
        """See `Finder`."""
        return blocked_by(trace, steps_of(trace)) if trace.tasks else []


def blocked_by(trace: Trace, steps: Steps) -> list[Finding]:
    """The findings on the long steps of a trace."""
    groups: dict[tuple[int, object], list[LongStep]] = {}
    for step in steps.long:
        if step.late >= LATE and own_ns(step) >= LONG_NS:
            task = trace.task(step.thread.image_index, step.task)
            code = task.coroutine if task is not None and task.coroutine is not None else step.task
            groups.setdefault((step.thread.id, code), []).append(step)
    return [_finding(trace, group) for group in groups.values()]


def own_ns(step: LongStep) -> int:
    """How long it kept its loop by its own doing."""
    core_ns = int(step.did[Kind.CPU])
    return step.ns - int(step.did[_NOT_ITS_OWN].sum()) + core_ns - max(core_ns, step.delay_ns)


def place(trace: Trace, step: LongStep) -> tuple[Frame | None, int, str]:
    """Where most of a step was spent.

    Returns:
        The program's own line; the kind of what it did there; and how it is known: `at`, `before` (it next gave
        way there) or `in` (the function only).
    """
    kind = max(
        (int(k) for k in range(len(step.did)) if k not in _NOT_ITS_OWN), key=lambda k: int(step.did[k])
    )
    stacks = trace.stacks[step.thread.image_index]
    there = {stack: ns for (k, stack), ns in step.places.items() if k == kind}
    if there and max(there.values()) * 2 >= int(step.did[kind]) // 2:
        return own_frame(stacks[max(there, key=lambda stack: there[stack])]), kind, "at"
    if frame := own_frame(step.gave_way):
        return frame, kind, "before"
    task = trace.task(step.thread.image_index, step.task)
    return (task.coroutine if task is not None else None), kind, "in"


def _finding(trace: Trace, group: list[LongStep]) -> Finding:
    worst = max(group, key=own_ns)
    cwd = trace.meta.cwd
    _, name = name_of_entry(trace, worst.thread.image_index, worst.task)
    of_task = int(worst.thread.image.inner[worst.task]["kind"]) == InnerKind.TASK
    loop, kind_of = ("event loop", "task") if of_task else ("hub", "greenlet")
    frame, kind, how = place(trace, worst)
    where = ""
    if frame is not None:
        inside = f"in {frame.function} at " if how == "in" else f"{how} "
        where = f", {inside}{short_path(frame.file, cwd)}:{frame.line}"
    sentence = (
        f"{name} kept its {loop} for {duration(worst.ns)}{where}, while {count(worst.late, f'other {kind_of}')} "
        "could have gone on"
    )
    doing = _DOING.get(kind, f"waiting for a {Kind(kind).name.lower()}" if kind != RUNNING else "running")
    evidence = [f"{percent(int(worst.did[kind]), worst.ns)} of that it was {doing}"]
    if frame is not None and how == "at" and worst.gave_way and (then := own_frame(worst.gave_way)):
        evidence.append(f"it next gave way at {short_path(then.file, cwd)}:{then.line}")
    if len(group) > 1:
        evidence.append(
            f"{len(group)} such steps of the same {'coroutine' if of_task else 'function'} kept the "
            f"{'loop' if of_task else 'hub'} of {worst.thread.name} for "
            f"{duration(sum(step.ns for step in group))} in all"
        )
    ids = [trace.task(step.thread.image_index, step.task) for step in group]
    tasks = list(dict.fromkeys(task.id for task in ids if task is not None))
    return Finding(
        kind=FindingKind.LOOP_BLOCKED,
        severity=Severity.WARNING,
        sentence=sentence,
        evidence=evidence,
        advice=_advice(kind) if of_task else _greenlet_advice(kind),
        start_ns=min(step.start_ns for step in group),
        end_ns=max(step.end_ns for step in group),
        weight_ns=sum(own_ns(step) for step in group),
        units=tasks or [worst.thread.id],
        where=[frame.where] if frame is not None else [],
    )


def _advice(kind: int) -> str:
    found = _ADVICE.get(Kind(kind) if kind != RUNNING else Kind.PYTHON)
    return found or (_WAIT_ADVICE if Kind.LOCK <= kind <= Kind.FUTURE else _ADVICE[Kind.IO])


def _greenlet_advice(kind: int) -> str:
    found = _GREENLET_ADVICE.get(Kind(kind) if kind != RUNNING else Kind.PYTHON)
    return found or _GREENLET_WAIT_ADVICE
