"""What is said while the program runs, on its own stderr: a finding, and what each thread does at the moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from headway.trace.figures import count, duration
from headway.trace.findings import Finding
from headway.trace.interval import STATE_OF
from headway.trace.locks import Lock
from headway.trace.model import Thread, Trace
from headway.trace.report.terminal import columns_of, finding_lines, print_lines
from headway.trace.waits import LongestWaits, Wait

_LEAD = "headway: "
"""Tells these lines from those of the program."""


def write_finding(finding: Finding, stream: TextIO) -> None:
    """Write one finding."""
    columns = columns_of(stream)
    print_lines(finding_lines(finding, columns, lead=_LEAD), stream, columns)


def write_threads(trace: Trace, locks: list[Lock], pid: int, stream: TextIO) -> None:
    """Write what each thread of a process does, and the whole stack of each that waits.

    Args:
        trace: Read just now; its records are not needed.
        locks: Of the trace.
        pid: The process.
        stream: Where to.
    """
    # One line each, however long: what looks for a line of a stack finds it whole.
    for line in _threads(trace, locks, pid):
        stream.write(line + "\n")


def _threads(trace: Trace, locks: list[Lock], pid: int) -> Iterable[str]:
    threads = [thread for thread in trace.threads if thread.pid == pid and not thread.ended]
    waits = {wait.thread.id: wait for wait in LongestWaits(trace, 0).result(locks)}
    yield (f"{_LEAD}what the {count(len(threads), 'thread')} of process {pid} did then:")
    for thread in threads:
        yield _head(thread, waits.get(thread.id))
        if wait := waits.get(thread.id):
            for frame in wait.frames:
                yield f"      {frame.where} {frame.function}"


def _head(thread: Thread, wait: Wait | None) -> str:
    slot = thread.slot
    state, reason = STATE_OF.get(int(slot["kind"]), (None, None))
    does = f"{state}: {reason}" if state is not None else "not known"
    head = (
        f"  {thread.name} (tid {thread.tid})  {does}, for {duration(thread.end_ns - int(slot['since_ns']))}"
    )
    if wait is not None and wait.on:
        head += f", {wait.on}"
    if wait is not None and wait.owner is not None:
        whose = "" if wait.owner.process == thread.process else f" of process {wait.owner.pid}"
        head += f", {'of' if wait.lock is None else 'held by'} `{wait.owner.name}`{whose}"
    return head
