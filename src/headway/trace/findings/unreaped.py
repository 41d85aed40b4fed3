"""leaked, of processes: they have ended, and who started them never waited for that."""

from __future__ import annotations

from headway.trace.figures import count, duration
from headway.trace.findings.finding import Finding
from headway.trace.format import End, Flag
from headway.trace.model import Process, Trace
from headway.trace.stacks import Frame, short_path
from headway.units import FindingKind, Severity

PROCESSES = 10
"""So many, started at one place. Popen and multiprocessing wait for earlier ones as they start another: a few that are
left at the end are no pile."""
DEAD_NS = 1_000_000_000
"""Each had ended so long before who should have waited for it."""


def unreaped(trace: Trace, parent: Process) -> list[Finding]:
    """Findings on the processes that one has started.

    All of these must hold: `PROCESSES` of them, started at one place, said that they end, `DEAD_NS` before their parent
    did; no thread of it has seen the end of them, by any of the ways to wait or to poll; it does not ignore SIGCHLD, by
    which the kernel would let go of them; and no record of its threads is missing since they ended.
    """
    images = [trace.images[index] for index in parent.images]
    if any(image.flags & Flag.CHILDREN_IGNORED for image in images):
        return []
    if any(int(image.threads["lost"].sum()) for image in images):
        return []
    known_from_ns = max((image.complete_from_ns for image in images), default=0)
    places: dict[Frame | None, list[Process]] = {}
    for child in trace.processes:
        dead = child.parent == parent.id and not child.reaped and _has_said_that_it_ends(trace, child)
        if dead and known_from_ns <= child.end_ns <= parent.end_ns - DEAD_NS:
            places.setdefault(child.created_at, []).append(child)
    return [
        _finding(trace, parent, place, children)
        for place, children in places.items()
        if len(children) >= PROCESSES
    ]


def _has_said_that_it_ends(trace: Trace, child: Process) -> bool:
    if not child.images:
        return False
    header = trace.images[child.images[-1]].header
    return int(header["end_ns"]) != 0 and int(header["end"]) in (End.EXIT, End.QUICK)


def _finding(trace: Trace, parent: Process, place: Frame | None, children: list[Process]) -> Finding:
    at = f", started at {short_path(place.file, trace.meta.cwd)}:{place.line}," if place is not None else ""
    whose = " by the program" if parent.id == 1 else f" by process {parent.pid}, {parent.name}"
    mean_ns = sum(parent.end_ns - child.end_ns for child in children) // len(children)
    names = list(dict.fromkeys(child.name for child in children))
    return Finding(
        kind=FindingKind.LEAKED,
        severity=Severity.WARNING,
        sentence=(
            f"{count(len(children), 'process')}{at} were never waited for{whose}: they had ended {duration(mean_ns)} "
            "before it did, on average"
        ),
        evidence=[
            f"they ran {', '.join(f'`{name}`' for name in names[:3])}"
            + (f" and {count(len(names) - 3, 'other command')}" if len(names) > 3 else ""),
            "the system keeps the number and the exit status of each until somebody waits for it",
        ],
        advice=(
            "wait for each: wait() or poll() of subprocess.Popen, join() of multiprocessing.Process, os.waitpid(); "
            "subprocess.run() does so by itself"
        ),
        start_ns=min(child.end_ns for child in children),
        end_ns=parent.end_ns,
        weight_ns=mean_ns,
        units=[child.id for child in children],
        where=[place.where] if place is not None else [],
    )
