"""deadlock and stuck, of tasks and greenlets: while the program runs, since only then the kernel can be asked."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

from headway.trace.figures import count, duration
from headway.trace.findings.finding import Finding
from headway.trace.format import Kind
from headway.trace.gil import Gil
from headway.trace.locks import Lock
from headway.trace.loop_still import Beside, LoopStill, still_loops
from headway.trace.model import Trace
from headway.trace.stacks import Frame, own_frame, short_path
from headway.trace.tasks import Task
from headway.units import FindingKind, Severity, UnitKind

_TOLD = 8
"""So many tasks are told one by one."""
_WAITS_FOR = {
    Kind.LOCK: "a lock",
    Kind.CONDITION: "a condition",
    Kind.EVENT: "an event",
    Kind.QUEUE: "a queue",
    Kind.FUTURE: "a future",
}


class LoopStuck:
    """Finds tasks of asyncio, and greenlets of gevent, that wait for each other for ever.

    It must be sure that nothing can let one of them go on (`loop_still.still_loops`). Then those of which each waits
    for the next one are a `deadlock`: for its end, or for a lock that it holds where it stands, as the source says.
    If there are none, all of them are `stuck`, unless the program may wait for Ctrl-C.
    """

    def find(self, trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
        """See `Finder`."""
        found = []
        for still in still_loops(trace):
            circles = still.circles()
            found += [_deadlock(still, circle) for circle in circles]
            if not circles and not still.patient:
                found.append(_stuck(still))
        return found


def _deadlock(still: LoopStill, circle: tuple[Task, ...]) -> Finding:
    waited_ns = still.process.end_ns - max(task.since_ns for task in circle)
    names = (
        ", ".join(f"`{task.name}`" for task in circle[:3])
        if len(circle) != 2
        else (f"`{circle[0].name}` and `{circle[1].name}`")
    )
    if len(circle) == 1 and still.owners[circle[0].number].hold is None:
        sentence = f"{circle[0].kind} {names}{_whose(still)} waits for its own end"
    elif len(circle) == 1:
        sentence = f"{circle[0].kind} {names}{_whose(still)} waits for a lock that it holds itself"
    else:
        more = f" and {count(len(circle) - 3, 'more')}" if len(circle) > 3 else ""
        sentence = f"{_several(circle)}{_whose(still)} wait for each other: {names}{more}"
    behind = len(still.tasks) - len(circle)
    return Finding(
        kind=FindingKind.DEADLOCK,
        severity=Severity.ERROR,
        sentence=f"{sentence}, for {duration(waited_ns)}",
        evidence=[
            *(_told(still, task) for task in circle[:_TOLD]),
            *(
                [f"{count(behind, f'more {_noun(still.tasks.values())}')} cannot go on, either"]
                if behind
                else []
            ),
            *map(_beside, still.beside[:_TOLD], repeat(still)),
            _sure(still),
        ],
        advice=_advice(still, circle),
        start_ns=max(task.since_ns for task in circle),
        end_ns=still.process.end_ns,
        weight_ns=waited_ns * len(circle),
        units=[task.id for task in circle],
        where=_where(circle),
    )


def _stuck(still: LoopStill) -> Finding:
    tasks = tuple(still.tasks.values())
    waited_ns = still.process.end_ns - max(task.since_ns for task in tasks)
    whose = _whose(still)
    if len(tasks) == 1:
        what = _awaited(still, tasks[0])
        sentence = f"the only {_noun(tasks)}{whose} waits for {what}, and nothing can let it go on"
    else:
        beside = " or a thread beside them" if still.beside else ""
        sentence = f"all {_several(tasks)}{whose} wait for what only another one of them{beside} could do"
    return Finding(
        kind=FindingKind.STUCK,
        severity=Severity.WARNING,
        sentence=f"{sentence}, for {duration(waited_ns)}",
        evidence=[*_groups(still, tasks), *map(_beside, still.beside[:_TOLD], repeat(still)), _sure(still)],
        advice=(
            f"look for the {_noun(tasks)} that should have released, put, set or notified: "
            "it has ended, or waits itself"
        ),
        start_ns=max(task.since_ns for task in tasks),
        end_ns=still.process.end_ns,
        weight_ns=waited_ns,
        units=[task.id for task in tasks],
        where=_where(tasks),
    )


def _groups(still: LoopStill, tasks: tuple[Task, ...]) -> list[str]:
    """Each task, or the first of those that wait at the same place."""
    groups: dict[object, list[Task]] = {}
    for task in tasks:
        groups.setdefault((task.waits_for, task.stack, task.awaits), []).append(task)
    told = []
    for group in list(groups.values())[:_TOLD]:
        like = f" and {count(len(group) - 1, f'more {group[0].kind}')} like it" if len(group) > 1 else ""
        told.append(_told(still, group[0], like))
    if len(groups) > _TOLD:
        told.append(f"and others at {count(len(groups) - _TOLD, 'more place')}")
    return told


def _told(still: LoopStill, task: Task, like: str = "") -> str:
    place = _place(task.stack, still.trace.meta.cwd)
    return f"{task.kind} `{task.name}`{like} waits for {_awaited(still, task)}{place}"


def _awaited(still: LoopStill, task: Task) -> str:
    owner = still.owners.get(task.number)
    if owner is None and task.waits_for == Kind.JOIN:
        return f"other {task.kind}s"
    if owner is None:
        return _WAITS_FOR[task.waits_for or Kind.FUTURE]
    if owner.hold is None:
        return f"the end of {owner.task.kind} `{owner.task.name}`"
    hold = owner.hold
    at = f"{short_path(hold.file, still.trace.meta.cwd)}:{hold.line}"
    return (
        f"`{hold.name}`, which {owner.task.kind} `{owner.task.name}` holds by `{hold.text}` at {at}, "
        "as the source says"
    )


def _beside(one: Beside, still: LoopStill) -> str:
    told = "the end of a thread" if one.waits_for == Kind.JOIN else _WAITS_FOR[one.waits_for]
    told += f", which thread `{one.owner.name}` holds" if one.owner not in (None, one.thread) else ""
    return f"thread `{one.thread.name}` waits for {told}{_place(one.stack, still.trace.meta.cwd)}"


def _place(stack: tuple[Frame, ...], cwd: str) -> str:
    own = own_frame(stack)
    return f"; at {short_path(own.file, cwd)}:{own.line} {own.function}" if own is not None else ""


def _sure(still: LoopStill) -> str:
    """Why nothing can let one of them go on."""
    noun = _noun(still.tasks.values())
    loop = {"task": "event loop", "greenlet": "hub"}.get(noun, "event loop or hub")
    return (
        f"all {noun}s wait, their {loop} has no timer and looks at nothing but that by which its own process wakes it, "
        "and no other thread of the process can do anything"
    )


def _noun(tasks: Iterable[Task]) -> str:
    kinds = {task.kind for task in tasks}
    return str(*kinds) if len(kinds) == 1 else f"{UnitKind.TASK} or {UnitKind.GREENLET}"


def _several(tasks: tuple[Task, ...]) -> str:
    kinds = sorted({task.kind for task in tasks}, reverse=True)
    return f"{len(tasks)} " + " and ".join(f"{kind}s" for kind in kinds)


def _whose(still: LoopStill) -> str:
    several = len(still.trace.processes) > 1
    return f" of process {still.process.pid}, {still.process.name}," if several else ""


def _where(tasks: tuple[Task, ...]) -> list[str]:
    own = [own_frame(task.stack) for task in tasks]
    return list(dict.fromkeys(frame.where for frame in own if frame is not None))


def _advice(still: LoopStill, circle: tuple[Task, ...]) -> str:
    if any(still.owners[task.number].hold is None for task in circle):
        waits = "joins" if circle[0].kind is UnitKind.GREENLET else "awaits"
        return (
            f"a {circle[0].kind} that {waits} another must not hold what that needs, nor that one wait for it"
        )
    return "take these locks in the same order everywhere"
