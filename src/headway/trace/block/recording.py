"""`record` and `assert_no_findings`: a block of a program that is traced, judged by itself."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from headway.errors import CannotObserve, FindingsFound, UsageError
from headway.trace.block.left import children_now, inner_of, left, outliving, own_file
from headway.trace.slots import STACKS, Slots

if TYPE_CHECKING:
    from headway.trace.findings import Finding

GRACE_S = 1.0
"""What was told to end, and not joined, has so long to do so after the block."""
LOOK_S = 0.01
"""How often to look, meanwhile."""

_entered: list[Recording] = []
"""Those that have begun and not ended, the innermost last."""
_last: Recording | None = None
"""The one that ended last."""


class Recording:
    """A block of a program, and what was found in it: what `with headway.record() as recording` gives.

    As the block ends, these are looked for, in this process:

    - `leaked`: a thread, an executor, a task, a greenlet or a process that the block has made and that had not ended.
      A thread or process has a second to end. What libraries make for themselves does not count.
    - Also `leaked`: a task that was thrown away while it waited, since nothing had a reference to it.
    - `loop-blocked`: a task or greenlet that kept its loop for 100 ms while others could have gone on.
    - `lock-order`: two threads took the same two locks in opposite orders, and may wait for each other for ever when
      both do so at once. Up to Python 3.13.
    - `deadlock`: threads that wait for each other for ever. From Python 3.14 on a lock does not tell its owner, and
      they are `leaked`.
    """

    def __init__(self) -> None:
        self._path = _traced()
        self._inner = inner_of(self._path)
        self._start_ns: int | None = None
        self._end_ns: int | None = None
        self._found: tuple[Finding, ...] = ()
        self._pid = self._thread = 0
        self._children: set[int] = set()

    def __enter__(self) -> Self:
        if self._start_ns is not None:
            raise UsageError("a recording is of one block", hint="call headway.record() for each")
        self._pid, self._thread = os.getpid(), threading.get_native_id()
        self._children = children_now()
        _entered.append(self)
        self._start_ns = time.monotonic_ns()
        flush_steps()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for _ in self._ends():
            time.sleep(LOOK_S)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        import asyncio

        # A task that was cancelled needs its turn to end, and whom a long step kept waiting is known only then.
        for _ in range(3):
            await asyncio.sleep(0)
        for _ in self._ends():
            await asyncio.sleep(LOOK_S)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Each has `kind`, `sentence`, `evidence`, `advice`, `where`. In the block: without what may end yet."""
        if self._start_ns is None:
            raise UsageError("the recording has not begun", hint="with headway.record() as recording: ...")
        if self._end_ns is None:
            self._found = self._so_far()
        return self._found

    def assert_no_findings(self) -> None:
        """Raise `FindingsFound`, an AssertionError, if there is a finding."""
        __tracebackhide__ = True
        if found := self.findings:
            raise _error(found)

    def _ends(self) -> Iterator[None]:
        """End the block, and judge it; yields while that must wait."""
        global _last
        self._end_ns = time.monotonic_ns()
        with contextlib.suppress(ValueError):
            _entered.remove(self)
        _last = self
        yield from self._judged(self._end_ns)

    def _judged(self, end_ns: int) -> Iterator[None]:
        if os.getpid() != self._pid:
            return  # the child of a fork goes on with the block, and its units are its parent's
        flush_steps()
        limit_s = time.monotonic() + GRACE_S
        while any(outlive := self._outliving()) and time.monotonic() < limit_s:
            yield
        self._found = self._verdict(end_ns, *outlive)

    def _so_far(self) -> tuple[Finding, ...]:
        if os.getpid() != self._pid:
            return ()
        flush_steps()
        found = self._verdict(time.monotonic_ns(), *self._outliving())
        return tuple(one for one in found if one.kind != "leaked")

    def _outliving(self) -> tuple[list[int], list[int]]:
        return outliving(self._path, self._start_ns or 0, self._thread, self._children)

    def _verdict(self, end_ns: int, threads: list[int], processes: list[int]) -> tuple[Finding, ...]:
        oldest_ns = min((one._start_ns or 0 for one in _entered), default=0)
        remains = left(self._inner, self._start_ns or 0, oldest_ns, threads, processes)
        if not remains:
            return ()
        # What numpy loads starts a thread for each core, which this program may not want.
        before = os.environ.get("OPENBLAS_NUM_THREADS")
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        try:
            from headway.trace.block.verdict import findings_of
        finally:
            if before is None:
                os.environ.pop("OPENBLAS_NUM_THREADS", None)
        return tuple(findings_of(self._path, self._start_ns or 0, end_ns, remains))


def record() -> Recording:
    """Judge a block of a program by itself: what it leaves behind, and whether it kept an event loop.

    The program must run under `headway trace`, or its tests under `pytest --headway-trace`, since the tracer is there
    from a process's start or not at all.

    Returns:
        A context manager, `with` or `async with`, that gives the `Recording`. In a coroutine use `async with`: a task
        that was cancelled gets its turn then.
    Raises:
        CannotObserve: This process is not traced. The hint is the line to run.

    Waits: up to a second as the block ends, if a thread or a process of it has not ended.
    Cost: about 0.2 ms a block where nothing was left, and 25 µs for each thread that there is; else the reading of the
        trace so far.
    """
    return Recording()


def assert_no_findings() -> None:
    """Raise if there is a finding on the block that ended last; in a block, on this so far, without what may end yet.

    Raises:
        FindingsFound: There is one or more; an AssertionError.
        UsageError: No block was recorded in this process.
    """
    __tracebackhide__ = True
    recording = _entered[-1] if _entered else _last
    if recording is None:
        raise UsageError(
            "no block was recorded in this process, so there is nothing to assert",
            hint="with headway.record(): ...",
        )
    recording.assert_no_findings()


def flush_steps() -> None:
    """Have the tracer write what it knows of the last long step of this thread, and look at locks anew."""
    import ctypes

    # Not CDLL: the thread must have the GIL, as the tracer's own functions do.
    with contextlib.suppress(AttributeError):
        ctypes.PyDLL(None).headway_flush()


def _traced() -> Path:
    """The file that this process writes."""
    directory = os.environ.get("HEADWAY_TRACE_DIR")
    path = own_file(Path(directory)) if directory else None
    if path is None:
        raise CannotObserve(
            "this process is not traced, and the tracer can only be there from its start",
            hint=f"run it as: {_command()}",
        )
    slots = Slots(path)
    slots.read()
    if not slots.flags & STACKS:
        raise CannotObserve(
            f"the tracer cannot read the stacks of this Python, {sys.version.split()[0]}, so no line could be told",
            hint="record with CPython 3.11 to 3.15",
        )
    return path


def _command() -> str:
    """What would run this program traced."""
    words = sys.orig_argv[1:] or ["prog.py"]
    if "PYTEST_CURRENT_TEST" in os.environ:
        return "pytest --headway-trace, or set headway_trace = true in pytest's configuration"
    if words[0].startswith("-") and words[0] != "-m":
        return f"headway trace -- {shlex.join(sys.orig_argv)}"
    return f"headway trace {shlex.join(words)}"


def _error(found: tuple[Finding, ...]) -> FindingsFound:
    lines = []
    for one in found:
        lines.append(f"{one.kind}: {one.sentence}")
        lines += [f"  {line}" for line in one.evidence]
        lines.append(f"  do: {one.advice}")
    error = FindingsFound("\n".join(lines))
    error.kinds = tuple(str(one.kind) for one in found)
    error.where = tuple(dict.fromkeys(place for one in found for place in one.where))
    return error
