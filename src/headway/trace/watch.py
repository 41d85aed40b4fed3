"""Watches a program from outside while it runs, and says when threads of it wait for each other for ever.

Once a second it reads what the threads do, from the files that they write anyway: the program does nothing for
it. Only when some have not moved for a while and wait in a circle, or all of them wait, is anything else loaded.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from headway.trace.afar import circles
from headway.trace.kernel import waits_for_itself
from headway.trace.shared import Shared
from headway.trace.slots import PROCESS, Slot, Slots
from headway.trace.waitfor import WaitFor, wait_for

if TYPE_CHECKING:
    from headway.trace.findings import Finding
    from headway.trace.locks import Lock
    from headway.trace.model import Trace

OnDeadlock = Literal["report", "dump", "abort"]

EVERY_S = 1.0
"""How often to look."""
LOOKS = 3
"""A thread stands still when so many looks in a row have found it in the same wait."""
PAUSE_S = 3 * EVERY_S
"""After a longer pause between two looks we have been stopped ourselves, and the program, too, maybe."""

TRIES = 3
"""So often the same standstill is looked at closely: a thread may just have been on a core."""

_Wait = tuple[int, int]
"""Of a thread: its number, and since when it waits."""


@dataclass
class _Process:
    """A process that is watched.

    Attributes:
        alive: The slots that were seen last.
        looks: How often in a row each wait was seen.
        far: The same of waits that another process may end.
        judged: How often a standstill was looked at closely: its waits, and whether all threads waited.
    """

    slots: Slots
    alive: dict[int, Slot] = field(default_factory=dict)
    looks: dict[_Wait, int] = field(default_factory=dict)
    far: dict[_Wait, int] = field(default_factory=dict)
    judged: dict[tuple[frozenset[_Wait], bool], int] = field(default_factory=dict)

    def stands_still(self) -> bool:
        """Look, and say whether there is something that is worth a closer look and has not had one.

        Raises:
            OSError: Its file cannot be read.
        """
        self.alive = alive = self.slots.read()
        far = [(n, slot.since_ns) for n, slot in alive.items() if slot.afar or slot.kind == PROCESS]
        self.far = {wait: self.far.get(wait, 0) + 1 for wait in far}
        waits = [(number, slot.since_ns) for number, slot in alive.items() if slot.enclosed or slot.polls]
        self.looks = {wait: self.looks.get(wait, 0) + 1 for wait in waits}
        still = {number for (number, _), looks in self.looks.items() if looks >= LOOKS}
        if not still:
            return False
        found = list(_standstills(wait_for(self.slots, alive, still)))
        if still == set(alive) and self._loops_wait_for_themselves(alive):
            found.append((frozenset(waits), True))
        for one in found:
            self.judged[one] = self.judged.get(one, 0) + 1
        return any(self.judged[one] <= TRIES for one in found)

    def _loops_wait_for_themselves(self, alive: Mapping[int, Slot]) -> bool:
        polls = [slot.tid for slot in alive.values() if slot.polls]
        return bool(polls) and all(waits_for_itself(self.slots.pid, tid) for tid in polls)

    @property
    def still(self) -> dict[int, Slot]:
        """Threads that stand still, for what may be in another process or here."""
        waits = [wait for table in (self.looks, self.far) for wait, looks in table.items() if looks >= LOOKS]
        return {number: self.alive[number] for number, _ in waits}

    @property
    def over(self) -> bool:
        """Whether it has ended, or was killed."""
        return self.slots.ended or (self.slots.pid > 0 and not os.path.exists(f"/proc/{self.slots.pid}"))


def _standstills(graph: WaitFor) -> Iterator[tuple[frozenset[_Wait], bool]]:
    groups = graph.circles() + ([tuple(graph.blocked.values())] if graph.closed else [])
    for group in groups:
        yield frozenset((one.number, one.since_ns) for one in group), graph.closed


class Watch:
    """Looks at the processes of a trace, and says on stderr what hangs; each thing once.

    Args:
        directory: Of the trace.
        pid: Of the program.
        start_ns: When it was started.
        on_deadlock: What to do besides: nothing, print what all threads of the process do, or end the program
            by SIGABRT.

    Attributes:
        seen: What was found, as sentences that begin with the kind of finding.
    """

    def __init__(self, directory: Path, pid: int, start_ns: int, on_deadlock: OnDeadlock) -> None:
        self.seen: list[str] = []
        self._directory = directory
        self._pid = pid
        self._start_ns = start_ns
        self._on_deadlock = on_deadlock
        self._processes: dict[str, _Process | None] = {}
        self._listed_ns = -1
        self._looked_s = time.monotonic()
        self._told: set[tuple[str, frozenset[tuple[int, int]]]] = set()
        self._judged_afar: dict[frozenset[tuple[int, int, int]], int] = {}
        self._broken = False

    def look(self) -> None:
        """Look once. Never raises: what goes wrong here is said once, and is no reason to leave the program."""
        if self._broken:
            return
        try:
            self._look()
        except Exception as error:
            self._broken = True
            with contextlib.suppress(OSError, ValueError, AttributeError):
                print(f"headway: watching stopped: {type(error).__name__}: {error}", file=sys.stderr)

    def _look(self) -> None:
        now_s = time.monotonic()
        paused, self._looked_s = now_s - self._looked_s > PAUSE_S, now_s
        self._list()
        for name, process in self._processes.items():
            if process is None:
                continue
            if paused:
                process.looks.clear()
                process.far.clear()
            try:
                still = process.stands_still()
            except OSError:  # somebody has removed it
                still, self._processes[name] = False, None
            if process.over:
                self._processes[name] = None
            elif still:
                self._judge({process.slots.pid})
        for pids in self._circles_afar():
            self._judge(pids)

    def _circles_afar(self) -> Iterator[set[int]]:
        """The processes of circles that lead through several of them."""
        processes = [process for process in self._processes.values() if process is not None]
        if not any(slot.afar for process in processes for slot in process.still.values()):
            return
        with contextlib.suppress(OSError):
            seen = [(process.slots, process.still) for process in processes]
            for circle in circles(seen, Shared(self._directory)):
                pids = [processes[one.node[0]].slots.pid for one in circle]
                key = frozenset(
                    (pid, one.node[1], one.since_ns) for pid, one in zip(pids, circle, strict=True)
                )
                self._judged_afar[key] = self._judged_afar.get(key, 0) + 1
                if self._judged_afar[key] <= TRIES:
                    yield set(pids)

    def _list(self) -> None:
        """Find the files of processes that have begun since."""
        changed_ns = os.stat(self._directory).st_mtime_ns
        if changed_ns == self._listed_ns:
            return
        # A clock of file systems is coarse: what comes in the same tick would not be noticed.
        self._listed_ns = changed_ns if time.time_ns() - changed_ns > 1_000_000_000 else -1
        for name in os.listdir(self._directory):
            if name.endswith(".hw") and name not in self._processes:
                self._processes[name] = _Process(Slots(self._directory / name))

    def _judge(self, pids: set[int]) -> None:
        """Look closely at processes: with stacks, names and the source. Say what is sure."""
        from headway.trace.findings import Deadlock, LoopStuck, Stuck
        from headway.trace.locks import locks_of
        from headway.trace.model import Trace

        trace = Trace(self._directory, records=False)
        runs = {one.pid for one in trace.processes if one.runs}
        locks = locks_of(trace)
        found = (
            one for finder in (Deadlock(), Stuck(), LoopStuck()) for one in finder.find(trace, [], locks)
        )
        for finding in found:
            units = [trace.unit(number) for number in finding.units]
            key = (finding.kind.value, frozenset((one.pid, one.start_ns) for one in units))
            if key not in self._told and {one.pid for one in units} == pids <= runs:
                self._told.add(key)
                self._tell(trace, finding, locks, pids)

    def _tell(self, trace: Trace, finding: Finding, locks: list[Lock], pids: set[int]) -> None:
        from headway.trace.figures import duration
        from headway.trace.report.moment import write_finding, write_threads
        from headway.units import FindingKind

        after = duration(time.monotonic_ns() - self._start_ns)
        self.seen.append(f"{finding.kind} {after} after the start: {finding.sentence}")
        with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody listens
            write_finding(finding, sys.stderr)
            for pid in sorted(pids) if self._on_deadlock == "dump" else ():
                write_threads(trace, locks, pid, sys.stderr)
            sys.stderr.flush()
        if self._on_deadlock == "abort" and finding.kind is FindingKind.DEADLOCK:
            for one in dict.fromkeys((*sorted(pids), self._pid)):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(one, signal.SIGABRT)
