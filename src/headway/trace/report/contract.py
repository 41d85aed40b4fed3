"""The JSON document, as docs/reference/trace-json.md describes it."""

from __future__ import annotations

from typing import Any

from headway.trace.findings import Finding
from headway.trace.format import Ints, Kind
from headway.trace.gil import Gil, held_ns
from headway.trace.interval import LOOP, QUEUED, RUNNING, STATE_OF, UNKNOWN
from headway.trace.jobs import Calls
from headway.trace.locks import Lock
from headway.trace.model import Job, Process, Task, Thread, Trace, Unit
from headway.trace.pools import Pool
from headway.trace.report.contents import Contents, dropped_events, python_image
from headway.trace.stacks import Frame
from headway.trace.steps import TaskWait, open_waits, steps_of
from headway.trace.tasks import Crowd, name_of_entry
from headway.trace.waits import Wait
from headway.units import UnitKind

_RUNS = {UnitKind.TASK: "coroutine", UnitKind.GREENLET: "function"}
"""The key of what a unit runs."""


def document(contents: Contents) -> dict[str, Any]:
    """The report as plain data. Times are seconds from the trace's start, to the nanosecond."""
    trace = contents.trace
    image = python_image(trace)
    since = trace.complete_from_ns
    return {
        "headway": 1,
        "verdict": contents.verdict,
        "command": trace.meta.command,
        "exit": trace.meta.exit,
        "wall_s": _s(trace.wall_ns),
        "cpu_s": round(trace.cpu_s, 9),
        "cores": trace.meta.cores,
        "cores_used": round(trace.cores_used, 4),
        "python": image.python if image is not None else None,
        "gil": image.gil if image is not None else None,
        "dropped_events": dropped_events(trace),
        "timeline_from_s": _s(max(since - trace.start_ns, 0)) if since else 0.0,
        "notes": contents.notes,
        "units": [_unit(trace, unit) for unit in trace.units],
        "gils": [_gil(gil) for gil in contents.gils],
        "locks": [_lock(lock, trace) for lock in contents.locks],
        "waits": [_wait(wait, trace) for wait in contents.waits]
        + [_task_wait(wait, trace) for wait in [*open_waits(trace), *steps_of(trace).waits]],
        "coroutines": [_crowd(crowd, trace) for crowd in contents.crowds if crowd.kind is UnitKind.TASK],
        "greenlets": [_crowd(crowd, trace) for crowd in contents.crowds if crowd.kind is UnitKind.GREENLET],
        "pools": [_pool(pool) for pool in trace.pools],
        "functions": [_calls(calls, trace) for calls in contents.calls],
        "findings": [_finding(finding, trace) for finding in contents.findings],
    }


def states(totals: Ints, *, running_known: bool, ready: int | None = None) -> dict[str, Any]:
    """Seconds by state and reason. What could not be told apart has the key `unknown` and is never 0.

    Args:
        totals: ns by kind.
        running_known: Whether running Python is told from running native code.
        ready: Of what has its thread in turn, the kind of being ready that it has besides: LOOP or QUEUED.
    """
    out: dict[str, Any] = {"start": _s(totals[Kind.START]), "ready": {}, "running": {}, "waiting": {}}
    for kind, (state, reason) in STATE_OF.items():
        if state is None or kind == Kind.START or (kind in (LOOP, QUEUED) and kind != ready):
            continue
        if running_known and kind == RUNNING and not totals[RUNNING]:
            continue
        if not running_known and kind in (Kind.PYTHON, Kind.NATIVE, Kind.GIL) and not totals[kind]:
            continue
        out[state.value][reason.value] = _s(totals[kind])
    if totals[UNKNOWN]:
        out["unknown"] = _s(totals[UNKNOWN])
    return out


def _unit(trace: Trace, unit: Unit) -> dict[str, Any]:
    if isinstance(unit, Task | Job):
        images = [trace.images[unit.image_index]]
    elif isinstance(unit, Thread):
        images = [unit.image]
    else:
        images = [trace.images[i] for i in getattr(unit, "images", [])]
    out: dict[str, Any] = {
        "id": unit.id,
        "kind": unit.kind.value,
        "name": unit.name,
        "parent": unit.parent,
        "process": unit.process,
        "carrier": None,
        "pid": unit.pid,
        "tid": unit.tid or None if isinstance(unit, Thread) else None,
        "start_s": _s(unit.start_ns - trace.start_ns),
        "end_s": _s(unit.end_ns - trace.start_ns) if unit.ended else None,
        "states": states(
            unit.totals,
            running_known=all(image.running_known for image in images),
            ready=LOOP if isinstance(unit, Task) else QUEUED if isinstance(unit, Job) else None,
        ),
    }
    if isinstance(unit, Job):
        out |= {
            "carrier": unit.carrier,
            "function": _function(unit.function),
            "created_at": unit.created_at.where if unit.created_at else None,
            "created_stack": [str(frame) for frame in unit.created],
            "outcome": unit.outcome,
            "begun_s": _s(unit.begun_ns - trace.start_ns) if unit.begun_ns else None,
            "queue_s": _s(unit.queue_ns) if unit.known else None,
            "run_s": _s(unit.run_ns) if unit.known else None,
        }
    if isinstance(unit, Task):
        out |= {
            "carrier": unit.carrier,
            _RUNS[unit.kind]: str(unit.coroutine) if unit.coroutine else None,
            "created_at": unit.created_at.where if unit.created_at else None,
            "outcome": unit.outcome,
            "seen_late": unit.seen_late,
            "steps": unit.steps,
            "loop_s": _s(unit.loop_ns),
            "longest_step_s": _s(unit.longest_ns),
            "stack": [str(frame) for frame in unit.stack],
            "awaits": awaited.id if (awaited := trace.task(unit.image_index, unit.awaits)) else None,
        }
        if unit.kind is UnitKind.GREENLET:
            out["role"] = unit.role
    if isinstance(unit, Thread):
        out["gil_held_s"] = _s(held_ns(unit)) if unit.image.gil else None
    if isinstance(unit, Process):
        out |= {
            "command": unit.command,
            "traced": unit.traced,
            "started_by": unit.started_by,
            "created_at": unit.created_at.where if unit.created_at else None,
            "signal": unit.signal,
        }
        out["gil"] = images[-1].gil if images else None
    return out


def _gil(gil: Gil) -> dict[str, Any]:
    return {
        "process": gil.process.id,
        "held_s": _s(gil.held_ns),
        "waited_s": _s(gil.waited_ns),
        "span_s": _s(gil.span_ns),
        "exact": gil.exact,
        "held": [{"unit": unit, "s": _s(ns)} for unit, ns in _most(gil.held)],
        "waited": [{"unit": unit, "s": _s(ns)} for unit, ns in _most(gil.waited)],
        "long_holds": [
            {"where": str(own), "innermost": str(frame), "s": _s(ns)} for frame, own, ns in gil.long_holds
        ],
    }


def _lock(lock: Lock, trace: Trace) -> dict[str, Any]:
    return {
        "id": lock.id,
        "name": lock.name(trace.meta.cwd),
        "kind": lock.kind.name.lower(),
        "made_at": lock.made_at.where if lock.made_at else None,
        "waits": lock.waits,
        "wait_s": _s(lock.wait_ns),
        "longest_s": _s(lock.longest_ns),
        "held_s": _s(lock.held_ns),
        "edges": [
            {
                "waiter": edge.waiter.id if edge.waiter else None,
                "owner": edge.owner.id if edge.owner else None,
                "waits": edge.waits,
                "wait_s": _s(edge.wait_ns),
            }
            for edge in lock.edges
        ],
        "process": lock.process.id,
        "open_waits": lock.open_waits,
        "longest_stack": [str(frame) for frame in lock.longest],
    }


def _wait(wait: Wait, trace: Trace) -> dict[str, Any]:
    return {
        "unit": wait.thread.id,
        "reason": wait.kind.name.lower(),
        "on": wait.on,
        "start_s": _s(wait.start_ns - trace.start_ns),
        "end_s": _s(wait.end_ns - trace.start_ns) if wait.end_ns is not None else None,
        "woken_by": wait.woken_by.id if wait.woken_by else None,
        "stack": [str(frame) for frame in wait.frames],
        "lock": wait.lock.id if wait.lock else None,
        "owner": wait.owner.id if wait.owner else None,
    }


def _task_wait(wait: TaskWait, trace: Trace) -> dict[str, Any]:
    index = wait.image_index
    waits_for, woken_by = trace.task(index, wait.on), trace.task(index, wait.woken_by)
    return {
        "unit": name_of_entry(trace, index, wait.task)[0],
        "reason": wait.kind.name.lower(),
        "on": name_of_entry(trace, index, wait.on)[1] if wait.on is not None else None,
        "start_s": _s(wait.start_ns - trace.start_ns),
        "end_s": _s(wait.end_ns - trace.start_ns) if wait.end_ns is not None else None,
        "woken_by": woken_by.id if woken_by else None,
        "stack": [str(frame) for frame in wait.frames],
        "lock": None,
        "owner": waits_for.id if waits_for else None,
    }


def _crowd(crowd: Crowd, trace: Trace) -> dict[str, Any]:
    process = trace.unit(crowd.process)
    known = all(trace.images[i].running_known for i in getattr(process, "images", []))
    return {
        "process": crowd.process,
        "name": crowd.name,
        _RUNS[crowd.kind]: str(crowd.coroutine) if crowd.coroutine else None,
        f"{crowd.kind}s": crowd.count,
        "alive": crowd.alive,
        "failed": crowd.failed,
        "cancelled": crowd.cancelled,
        "steps": crowd.steps,
        "loop_s": _s(crowd.loop_ns),
        "longest_step_s": _s(crowd.longest_ns),
        "states": states(crowd.totals, running_known=known, ready=LOOP),
    }


def _pool(pool: Pool) -> dict[str, Any]:
    return {
        "id": pool.id,
        "process": pool.process,
        "name": pool.name or None,
        "type": pool.type or None,
        "kind": pool.kind.name.lower(),
        "size": pool.size,
        "workers": pool.workers,
        "first_at": pool.first_at.where if pool.first_at else None,
        "jobs": pool.jobs,
        "not_told": pool.lost,
        "begun": pool.begun,
        "ended": pool.ended,
        "failed": pool.failed,
        "cancelled": pool.cancelled,
        "dropped": pool.dropped,
        "queued": pool.queued,
        "running": pool.running,
        "most_queued": pool.most_queued,
        "most_running": pool.most_running,
        "queue_s": _s(pool.queue_ns),
        "longest_queue_s": _s(pool.longest_queue_ns),
        "run_s": _s(pool.run_ns),
        "longest_run_s": _s(pool.longest_run_ns),
        "some_s": _s(pool.some_ns),
        "several_s": _s(pool.several_ns),
        "full_s": _s(pool.full_ns),
    }


def _calls(calls: Calls, trace: Trace) -> dict[str, Any]:
    process = trace.unit(calls.process)
    known = all(trace.images[i].running_known for i in getattr(process, "images", []))
    return {
        "process": calls.process,
        "pool": calls.pool or None,
        "name": calls.name,
        "function": _function(calls.function),
        "jobs": calls.count,
        "alive": calls.alive,
        "failed": calls.failed,
        "cancelled": calls.cancelled,
        "dropped": calls.dropped,
        "queue_s": _s(calls.queue_ns) if calls.queue_known else None,
        "run_s": _s(calls.run_ns) if calls.run_known else None,
        "longest_run_s": _s(calls.longest_ns) if calls.run_known else None,
        "states": states(calls.totals, running_known=known, ready=QUEUED if calls.queue_known else None),
    }


def _function(frame: Frame | None) -> str | None:
    """`file:line:function`; of what is not a function of Python its name."""
    return None if frame is None else str(frame) if frame.line else frame.function


def _finding(finding: Finding, trace: Trace) -> dict[str, Any]:
    return {
        "kind": finding.kind.value,
        "severity": finding.severity.value,
        "sentence": finding.sentence,
        "units": finding.units,
        "locks": finding.locks,
        "where": finding.where,
        "start_s": _s(finding.start_ns - trace.start_ns),
        "end_s": _s(finding.end_ns - trace.start_ns),
        "advice": finding.advice,
        "evidence": finding.evidence,
    }


def _most(table: dict[int, int]) -> list[tuple[int, int]]:
    return sorted(table.items(), key=lambda item: -item[1])


def _s(ns: Any) -> float:
    """Seconds, to the nanosecond."""
    return round(int(ns) / 1e9, 9)
