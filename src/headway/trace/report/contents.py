"""Everything that a report tells, gathered from a trace in one pass."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from headway.trace.figures import count, digits, duration, percent
from headway.trace.findings import Finding, findings_of
from headway.trace.format import Flag, Kind
from headway.trace.gil import Gil, gils_of
from headway.trace.image import ProcessImage
from headway.trace.interval import STATE_OF, UNKNOWN
from headway.trace.jobs import Calls, calls_of
from headway.trace.locks import Lock, locks_of
from headway.trace.model import Process, Trace
from headway.trace.processes import ProcessStates
from headway.trace.report.lanes import Lanes
from headway.trace.tasks import Crowd, crowds_of
from headway.trace.waits import LongestWaits, Wait
from headway.units import FindingKind

WAITS = 20
"""How many of the longest waits are told."""
_ASTRAY_NS = 1_000_000
"""Slots that are off by more than this are worth a note; one torn by a kill is off by less."""


@dataclass(slots=True)
class Contents:
    """A trace with what was found in it. `lanes` only where they were asked for."""

    trace: Trace
    gils: list[Gil]
    locks: list[Lock]
    waits: list[Wait]
    findings: list[Finding]
    crowds: list[Crowd]
    calls: list[Calls]
    notes: list[str]
    verdict: str
    lanes: Lanes | None

    @property
    def root(self) -> Process | None:
        """The process that was started; None if not even that left a trace."""
        return next(iter(self.trace.processes), None)


def gather(directory: Path, *, lane_columns: int = 0) -> Contents:
    """Read a trace and work out what to tell.

    Args:
        directory: The trace.
        lane_columns: How finely to divide time for `Contents.lanes`; 0: no lanes.
    """
    trace = Trace(directory)
    process_states, longest = ProcessStates(), LongestWaits(trace, WAITS)
    lanes = Lanes(trace, lane_columns) if lane_columns else None
    trace.scan(process_states, longest, *([lanes] if lanes else []))
    for process in trace.processes:
        process.totals = process_states.totals(process.id, process.start_ns, process.end_ns)
    locks = locks_of(trace)
    waits = longest.result(locks)
    gils = gils_of(trace)
    findings = findings_of(trace, gils, locks)
    notes = _notes(trace, gils, findings)
    verdict = _verdict(trace, findings, waits)
    crowds, calls = crowds_of(trace), calls_of(trace)
    return Contents(trace, gils, locks, waits, findings, crowds, calls, notes, verdict, lanes)


def python_image(trace: Trace) -> ProcessImage | None:
    """The image whose Python stands for the run: the root's last; where that has none, the first with one."""
    root = next(iter(trace.processes), None)
    own = [trace.images[i] for i in reversed(root.images)] if root is not None else []
    return next(
        (image for image in [*own, *trace.images] if image.flags & Flag.PYTHON), own[0] if own else None
    )


def dropped_events(trace: Trace) -> int:
    """Records that are not in the trace: overwritten by newer ones, or without a place."""
    return sum(int(i.header["overwritten"]) + int(i.threads["lost"].sum()) for i in trace.images)


def outcome(trace: Trace) -> str:
    """How the program ended: `exit 0`, `killed by SIGTERM`, `still running`."""
    status = trace.meta.exit
    if status is None:
        root = next(iter(trace.processes), None)
        return "exit status not known" if root is None or root.ended else "had not ended"
    if status >= 0:
        return f"exit {status}"
    return f"killed by {signal_name(-status)}"


def signal_name(number: int) -> str:
    """`SIGTERM`; `signal 77` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _verdict(trace: Trace, findings: list[Finding], waits: list[Wait]) -> str:
    """The report's first line."""
    wall, status = duration(trace.wall_ns), trace.meta.exit
    if not trace.threads:
        return f"nothing to tell: no thread of the program was traced in {wall}"
    killed = status is not None and status < 0
    stuck = [w for w in waits if w.end_ns is None and w.kind is Kind.LOCK]
    if killed and stuck and not (findings and findings[0].kind in (FindingKind.DEADLOCK, FindingKind.STUCK)):
        return f"{outcome(trace)} after {wall}, while {count(len(stuck), 'thread')} waited for a lock"
    if findings:
        more = f" (and {count(len(findings) - 1, 'more finding')})" if len(findings) > 1 else ""
        return f"{findings[0].kind}: {findings[0].sentence}{more}"
    start = f"{outcome(trace)} after {wall}" if killed else f"no finding in {wall}"
    cores = f"; {digits(trace.cores_used)} of {trace.meta.cores} cores used" if trace.meta.cores else ""
    return start + cores + _main_thread(trace)


def _main_thread(trace: Trace) -> str:
    main = next(iter(trace.processes[0].threads), None)
    if main is None:
        return ""
    span = max(main.end_ns - main.start_ns, 1)
    top = sorted(((int(ns), kind) for kind, ns in enumerate(main.totals) if ns), reverse=True)[:2]
    parts = [f"{percent(ns, span)} {_phrase(kind)}" for ns, kind in top if ns >= 0.01 * span]
    return f"; main thread {', '.join(parts)}" if parts else ""


def _phrase(kind: int) -> str:
    state, reason = STATE_OF[kind]
    if state is None:
        return "not known"
    if kind == Kind.START:
        return "starting"
    if kind == Kind.GIL:
        return "waiting for the GIL"
    if kind == Kind.CPU:
        return "waiting for a core"
    if reason.value == "unknown":
        return "running"
    if state.value == "running":
        return f"running {'Python' if kind == Kind.PYTHON else 'native code'}"
    return {Kind.SLEEP: "sleeping", Kind.IO: "waiting for I/O", Kind.OTHER: "waiting"}.get(
        Kind(kind),
        "waiting in join"
        if kind == Kind.JOIN
        else f"waiting for {'an' if reason == 'event' else 'a'} {reason}",
    )


def _notes(trace: Trace, gils: list[Gil], findings: list[Finding]) -> list[str]:
    """What readers must know to trust the figures rightly."""
    notes = list(trace.notes)
    kinds = {finding.kind.value for finding in findings}
    # What was seen while the program ran, and is over, or cannot be proved from its end any more.
    notes += [
        f"while it ran, a finding of {seen}" for seen in trace.meta.seen if seen.split()[0] not in kinds
    ]
    overwritten = sum(int(image.header["overwritten"]) for image in trace.images)
    if overwritten:
        since = (trace.complete_from_ns or trace.start_ns) - trace.start_ns
        notes.append(
            f"{count(overwritten, 'older event')} were overwritten: the timeline is complete from "
            f"{duration(max(since, 0))} on; totals are exact for the whole run (more room: --buffer)"
        )
    lost = sum(int(image.threads["lost"].sum()) for image in trace.images)
    if lost:
        notes.append(f"{count(lost, 'event')} found no room: the timeline has holes; totals are exact")
    for image in trace.images:
        whose = f"process {int(image.header['pid'])}"
        if image.cut_off:
            notes.append(f"{whose}: its file is cut off; what was behind is missing")
        if image.flags & Flag.NO_SPACE:
            notes.append(f"{whose}: no space was left on the device; the timeline stops there")
        if image.flags & Flag.PYTHON and image.gil is None:
            kind = "PyPy's GIL cannot be seen" if image.flags & Flag.PYPY else "the GIL was not found"
            notes.append(
                f"{whose}: {kind}: running Python and native code are not told apart; waits are exact"
            )
        if image.gil is False:
            notes.append(
                f"{whose}: a build without the GIL: running is not split into Python and native code"
            )
        if untracked := int(image.header["untracked_threads"]):
            notes.append(f"{whose}: {count(untracked, 'thread')} not traced: too many at once")
        for section in image.header["sections"][1:8]:
            if int(section["lost"]):
                notes.append(
                    f"{whose}: some stacks or locks found no room; those waits are told without them"
                )
                break
        if untracked := int(image.header["units"]["lost"]):
            notes.append(f"{whose}: {untracked:,} tasks, greenlets or jobs not traced: too many at once")
        if untracked := int(image.header["pools"]["lost"]):
            notes.append(f"{whose}: {count(untracked, 'job')} not traced: too many pools at once")
    if any(not gil.exact for gil in gils):
        notes.append(
            "several GILs in one process: who held which is from the timeline, not from exact totals"
        )
    running = [str(process.pid) for process in trace.processes if process.runs]
    if running and trace.meta.end_ns is not None:
        notes.append(
            f"{count(len(running), 'process')} went on after the program ended: {', '.join(running[:5])}; "
            "the report of this trace can be made again later"
        )
    untraced = [process for process in trace.processes if not process.traced]
    if untraced:
        pids = ", ".join(str(process.pid) for process in untraced[:5]) + (" …" if len(untraced) > 5 else "")
        notes.append(f"{count(len(untraced), 'process')} not traced: {pids}")
    astray = max((abs(thread.life.astray_ns) for thread in trace.threads), default=0)
    if astray > _ASTRAY_NS:
        notes.append(
            f"the figures of a thread are off by {duration(astray)}: it was killed while writing them"
        )
    inferred = sum(int(thread.totals[Kind.CPU]) for thread in trace.threads)
    if inferred > 0.01 * trace.wall_ns:
        notes.append(
            "when a thread wanted a core is inferred within windows; how long is the kernel's figure"
        )
    if sum(int(thread.totals[UNKNOWN]) for thread in trace.threads) > _ASTRAY_NS and not astray:
        notes.append("part of a thread's life is not known")
    return notes
