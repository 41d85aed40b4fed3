"""The verdict on a block: the findings on what it has left and on what it did, from the trace as it is so far."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable
from pathlib import Path

from headway.trace.block.left import Left
from headway.trace.figures import count
from headway.trace.findings import Deadlock, Finding
from headway.trace.findings.destroyed import destroyed
from headway.trace.findings.lock_order import orders_of
from headway.trace.findings.loop_blocked import blocked_by
from headway.trace.format import Kind
from headway.trace.locks import locks_of
from headway.trace.model import Process, Task, Thread, Trace
from headway.trace.stacks import Frame, short_path
from headway.trace.steps import Steps, steps_of
from headway.units import FindingKind, Severity, UnitKind

_INSTALLED = re.compile(r"/(?:site|dist)-packages/")
_COMMAND = re.compile(r"/bin/[^/.]+$")
"""A script that starts a program that is installed, such as pytest."""
_HELPERS = ("resource_tracker", "multiprocessing.forkserver", "headway.run", " of headway")
"""Parts of the commands of processes that libraries keep, and end themselves."""
_WAITS_FOR = {
    Kind.LOCK: "a lock",
    Kind.CONDITION: "a condition",
    Kind.EVENT: "an event",
    Kind.QUEUE: "a queue",
    Kind.JOIN: "the end of another",
    Kind.FUTURE: "a future",
    Kind.SLEEP: "a time to come",
    Kind.IO: "input or output",
    Kind.PROCESS: "a process",
}
_ADVICE = {
    "thread": "tell it to end, and join() it, before the block ends",
    "executor": "use it in a `with` block, or call shutdown()",
    "task": "await it, or cancel it and await that; asyncio.TaskGroup does both",
    "greenlet": "join() it, or kill() it",
    "process": "wait for it, or end it: terminate() and then wait()",
}


def findings_of(path: Path, start_ns: int, end_ns: int, remains: Left) -> list[Finding]:
    """What is to be said of a block.

    Args:
        path: The file of this process.
        start_ns: When the block began.
        end_ns: And ended.
        remains: What it has left.
    """
    trace = Trace(path.parent)
    index = next(number for number, image in enumerate(trace.images) if image.path == path)
    found = []
    if remains.long:
        steps = steps_of(trace)
        mine = [
            step
            for step in steps.long
            if step.thread.image_index == index and step.start_ns >= start_ns and step.start_ns < end_ns
        ]
        found += blocked_by(trace, Steps(mine, [], {}))
    if remains.lost:
        found += destroyed(trace, since_ns=start_ns, image_index=index)
    if remains.orders:
        found += orders_of(trace, locks_of(trace), image_index=index, since_ns=start_ns)
    if remains.outlives or remains.inner:
        found += _left(trace, index, start_ns, end_ns, remains)
    return found


def _left(trace: Trace, index: int, start_ns: int, end_ns: int, remains: Left) -> list[Finding]:
    found = [
        one
        for one in Deadlock().find(trace, [], locks_of(trace))
        if one.start_ns >= start_ns and {trace.unit(unit).pid for unit in one.units} == {os.getpid()}
    ]
    told = {unit for one in found for unit in one.units}
    leaks = _Leaks(trace, index, start_ns, end_ns)
    threads = [trace.thread(index, number) for number in remains.threads]
    leaks.add_threads(one for one in threads if one is not None and one.id not in told)
    tasks = [trace.task(index, number) for number in remains.inner]
    leaks.add_tasks(one for one in tasks if one is not None)
    leaks.add_processes(one for one in trace.processes if one.pid in remains.processes)
    return found + leaks.findings()


class _Leaks:
    """Sorts what is left by what it is and where it was made; leaves out what is not the block's to end."""

    def __init__(self, trace: Trace, index: int, start_ns: int, end_ns: int) -> None:
        self._trace = trace
        self._stacks = trace.stacks[index]
        self._start_ns, self._end_ns = start_ns, end_ns
        self._groups: dict[
            tuple[str, str, Frame], list[tuple[Thread | Task | Process, Kind | None, Frame | None]]
        ] = {}

    def add_threads(self, threads: Iterable[Thread]) -> None:
        daemons = {one.native_id: one.daemon for one in threading.enumerate()}
        for thread in threads:
            made = self._stacks[int(thread.slot["create_stack"])]
            pool = _is_of_executor(made)
            place = _place(made)
            of_library = any(map(_is_installed, _outside_of_stdlib(made)[:1]))
            if place is None or _is_ours(made) or (daemons.get(thread.tid, True) and of_library):
                continue
            if pool and thread.name.startswith("asyncio_"):
                continue  # the loop ends its own executor
            what, name = ("executor", thread.name.rpartition("_")[0]) if pool else ("thread", "")
            kind = Kind(int(thread.slot["kind"]))
            waits_at = _own(self._stacks[int(thread.slot["now_b"])])
            self._groups.setdefault((what, name, place), []).append((thread, kind, waits_at))

    def add_tasks(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            place = _place(task.created)
            if place is not None:
                what = "greenlet" if task.kind is UnitKind.GREENLET else "task"
                self._groups.setdefault((what, "", place), []).append(
                    (task, task.waits_for, _own(task.stack))
                )

    def add_processes(self, processes: Iterable[Process]) -> None:
        for process in processes:
            place = _place(process.created)
            helper = any(part in " ".join([process.name, *process.command]) for part in _HELPERS)
            if place is not None and not helper and not _is_ours(process.created):
                self._groups.setdefault(("process", "", place), []).append((process, None, None))

    def findings(self) -> list[Finding]:
        return [self._finding(what, name, place, left) for (what, name, place), left in self._groups.items()]

    def _finding(
        self,
        what: str,
        name: str,
        place: Frame,
        left: list[tuple[Thread | Task | Process, Kind | None, Frame | None]],
    ) -> Finding:
        cwd = self._trace.meta.cwd
        made = f"{short_path(place.file, cwd)}:{place.line}"
        units = [unit for unit, _, _ in left]
        first, kind, waits_at = left[0]
        if what == "executor":
            its = f"its {len(left)} threads have" if len(left) > 1 else "its thread has"
            sentence = f"executor `{name}`, used at {made}, was not shut down in the block: {its} not ended"
        elif len(left) == 1:
            named = f"{first.pid}, `{first.name}`" if what == "process" else f"`{first.name}`"
            verb = "started" if what == "process" else "made"
            sentence = f"{what} {named}, {verb} at {made}, had not ended when the block did"
        else:
            sentence = f"{count(len(left), what)} made at {made} had not ended when the block did"
        evidence = []
        if what != "executor" and kind in _WAITS_FOR:
            at = f" at {short_path(waits_at.file, cwd)}:{waits_at.line}" if waits_at is not None else ""
            evidence = [f"{'it waits' if len(left) == 1 else 'the first waits'} for {_WAITS_FOR[kind]}{at}"]
        return Finding(
            kind=FindingKind.LEAKED,
            severity=Severity.WARNING,
            sentence=sentence,
            evidence=evidence,
            advice=_ADVICE[what],
            start_ns=min(unit.start_ns for unit in units),
            end_ns=self._end_ns,
            weight_ns=sum(self._end_ns - unit.start_ns for unit in units),
            units=[unit.id for unit in units],
            where=[frame.where for frame in (place, waits_at) if frame is not None],
        )


# --- whose a line is


def _is_installed(frame: Frame) -> bool:
    return _INSTALLED.search(frame.file) is not None


def _outside_of_stdlib(frames: tuple[Frame, ...]) -> list[Frame]:
    return [frame for frame in frames if not frame.of_library]


def _own(frames: tuple[Frame, ...]) -> Frame | None:
    """The innermost line of the program."""
    return next(iter(_outside_of_stdlib(frames)), None)


def _place(made: tuple[Frame, ...]) -> Frame | None:
    """Where something was made; None where no line of the program itself has to do with it."""
    outside = _outside_of_stdlib(made)
    own = any(not _is_installed(frame) and _COMMAND.search(frame.file) is None for frame in outside)
    return outside[0] if own else None


def _is_of_executor(made: tuple[Frame, ...]) -> bool:
    return any(frame.file.endswith("concurrent/futures/thread.py") for frame in made)


def _is_ours(made: tuple[Frame, ...]) -> bool:
    """Headway's own workers wait some seconds for more, and then go."""
    return any("/headway/run/" in frame.file for frame in made)
