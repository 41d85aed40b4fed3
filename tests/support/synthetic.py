"""Builds trace directories by hand: known events in, real files out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headway.trace import format as fmt
from headway.trace.format import NOBODY, End, Flag, Kind, Section, ThreadFlag

MS = 1_000_000
S = 1_000_000_000
T0 = 1_000 * S
GIL_PYTHON = Flag.PYTHON | Flag.GIL_FOUND | Flag.GIL_TAKEN | Flag.STACKS


@dataclass
class FakeThread:
    """One thread; `then` appends to its life, which starts at `at_ns`."""

    process: FakeProcess
    number: int
    name: str = ""
    at_ns: int = T0
    creator: int = NOBODY
    flags: int = ThreadFlag.PYTHON
    tid: int = 0
    rows: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    blocks: list[Any] = field(default_factory=list)
    beside: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    total: Any = field(default_factory=lambda: np.zeros(fmt.NKINDS, np.int64))
    count: Any = field(default_factory=lambda: np.zeros(fmt.NKINDS, np.int64))
    off: Any = field(default_factory=lambda: np.zeros((2, 2), np.int64))
    now: tuple[int, int, int, int, int] | None = None
    burst: tuple[int, int, int, int, int] | None = None
    ended: bool = False
    hold_ns: int = 0
    hold_count: int = 0
    held: dict[int, int] = field(default_factory=dict)
    slot: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start_ns = self.at_ns
        self.tid = self.tid or self.process.pid + self.number

    def then(self, kind: Kind, ns: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0) -> FakeThread:
        """Spend `ns` in a state."""
        self.rows.append((self.at_ns, ns << 8 | kind, a, b, c, d))
        self.at_ns += ns
        if kind is Kind.BURST:
            self._tally_burst(ns, a, b, c)
        else:
            self.total[kind] += ns
            self.count[kind] += 1
        if kind is Kind.PYTHON:
            self.hold_ns += ns
            self.hold_count += 1
            self.held[a] = self.held.get(a, 0) + ns
        return self

    def _tally_burst(self, ns: int, native: int, io: int, gil: int) -> None:
        for kind, part in ((Kind.NATIVE, native), (Kind.IO, io), (Kind.GIL, gil)):
            self.total[kind] += part
        self.total[Kind.PYTHON] += ns - native - io - gil

    def wait(
        self, kind: Kind, ns: int, lock: int, owner: int = NOBODY, waker: int = NOBODY, stack: int = 0
    ) -> FakeThread:
        """Wait for a lock; it and its edge count it."""
        self.process.lock_waited(lock, self.number, owner, ns, stack)
        return self.then(kind, ns, lock, stack, owner, waker)

    def off_core(self, start_ns: int, end_ns: int, ready: int, other: int, kind: int = 0) -> FakeThread:
        """A window's off-core time; counted as that of PYTHON (0) or NATIVE (1)."""
        low = 0xFFFFFFFF
        row = (
            start_ns,
            (end_ns - start_ns) << 8 | Kind.OFFCPU,
            ready & low,
            ready >> 32,
            other & low,
            other >> 32,
        )
        self.rows.append(row)
        self.off[0][kind] += ready
        self.off[1][kind] += other
        return self

    def releases(self, lock: int, ns: int, stack: int = 0, held_ns: int = 0, count: int = 0) -> FakeThread:
        """Let go of a lock for which others have waited for `ns`; `count` times in it, held `held_ns` in all."""
        self.rows.append((self.at_ns - ns, ns << 8 | Kind.HOLD, lock, stack, held_ns, count))
        return self

    def long_step(
        self, task: int, start_ns: int, ns: int, late: int = 0, stack: int = 0, delay_ms: int = 0
    ) -> FakeThread:
        """Tell of a long step of a task."""
        self.rows.append((start_ns, ns << 8 | Kind.LONG, task, stack, late, 1000 * delay_ms))
        return self

    def child(self, pid: int) -> FakeThread:
        """Make a process."""
        self.rows.append((self.at_ns, Kind.CHILD, pid, 0, 2, 0))
        return self

    def reaped(self, pid: int, status: int = 0, cpu_ns: int = 0) -> FakeThread:
        """See a process end, of which the kernel says what it used."""
        self.rows.append((self.at_ns, Kind.REAPED, pid, status, cpu_ns & 0xFFFFFFFF, cpu_ns >> 32))
        return self

    def bulk(self, records: Any) -> FakeThread:
        """Append many records at once; plain states only."""
        self.blocks.append(records)
        kinds = (records["dur_kind"] & 0xFF).astype(np.int64)
        dur = (records["dur_kind"] >> np.uint64(8)).astype(np.int64)
        self.total += np.bincount(kinds, dur, fmt.NKINDS).astype(np.int64)[: fmt.NKINDS]
        self.at_ns = int(records["start_ns"][-1]) + int(dur[-1])
        return self

    def pending(self, ns: int, native: int = 0, io: int = 0, gil: int = 0) -> FakeThread:
        """A burst that is not yet a record."""
        self.burst = (self.at_ns, native, io, gil, 3)
        self._tally_burst(ns, native, io, gil)
        self.at_ns += ns
        return self

    def stays(self, kind: Kind, a: int = 0, b: int = 0, c: int = 0, d: int = 0) -> FakeThread:
        """Be in a state from now on, without an end."""
        self.now = (kind, a, b, c, d)
        return self

    def ends(self) -> FakeThread:
        """End now."""
        self.ended = True
        return self

    def records(self) -> Any:
        """All records, dtype `format.RECORD`."""
        return np.concatenate([*self.blocks, np.array(self.rows, fmt.RECORD)])


@dataclass
class FakeProcess:
    """One process image."""

    pid: int = 100
    start_ns: int = T0
    flags: int = GIL_PYTHON
    ppid: int = 1
    parent_start_ns: int = 0
    parent_slot: int = NOBODY
    end_ns: int | None = None
    end: int = End.EXIT
    command: tuple[str, ...] = ("python", "prog.py")
    python: str = "3.11.7 (main)"
    header: dict[str, Any] = field(default_factory=dict)
    threads: list[FakeThread] = field(default_factory=list)
    locks: list[dict[str, Any]] = field(default_factory=list)
    edges: dict[tuple[int, int, int], list[int]] = field(default_factory=dict)
    inner: list[dict[str, Any]] = field(default_factory=list)
    pools: list[dict[str, Any]] = field(default_factory=list)
    stacks: list[tuple[tuple[str, int, str], ...]] = field(default_factory=list)
    stack_extra: dict[int, dict[str, int]] = field(default_factory=dict)
    gils: int = 1
    drop_chunks: dict[int, int] = field(default_factory=dict)

    def thread(self, name: str = "", at_ns: int | None = None, **kw: Any) -> FakeThread:
        """Add a thread; the first is the main thread."""
        number = len(self.threads)
        if number == 0:
            kw.setdefault("flags", ThreadFlag.PYTHON | ThreadFlag.MAIN)
        else:
            kw.setdefault("creator", 0)
        made = FakeThread(self, number, name, self.start_ns if at_ns is None else at_ns, **kw)
        self.threads.append(made)
        return made

    def stack(self, *frames: tuple[str, int, str], hold_ns: int = 0, hold_count: int = 0) -> int:
        """Add a stack, innermost first; gives its id."""
        self.stacks.append(frames)
        self.stack_extra[len(self.stacks) - 1] = {"hold_ns": hold_ns, "hold_count": hold_count}
        return len(self.stacks)

    def task(self, name: str, at_ns: int, end_ns: int | None = None, **fields: Any) -> int:
        """Add a task; gives its number. `totals`: ns by kind of its closed intervals, ready at Kind.NONE."""
        self.inner.append({"name": name, "created_ns": at_ns, "end_ns": end_ns or 0, "count": 1, **fields})
        return len(self.inner) - 1

    def pool(self, name: str = "pool", **fields: Any) -> int:
        """Add an executor; gives its number."""
        self.pools.append({"name": name, **fields})
        return len(self.pools) - 1

    def lock(self, kind: Kind = Kind.LOCK, made: int = 0, **fields: Any) -> int:
        """Add a lock; gives its index."""
        self.locks.append(
            {"kind": kind, "made_stack": made, "address": 0x7F00_0000 + 64 * len(self.locks), **fields}
        )
        return len(self.locks) - 1

    def lock_waited(self, lock: int, waiter: int, owner: int, ns: int, stack: int) -> None:
        """Count a wait."""
        entry = self.locks[lock]
        entry["waits"] = entry.get("waits", 0) + 1
        entry["wait_ns"] = entry.get("wait_ns", 0) + ns
        entry["held_ns"] = entry.get("held_ns", 0) + ns
        if ns > entry.get("longest_ns", 0):
            entry["longest_ns"], entry["longest_stack"] = ns, stack
        edge = self.edges.setdefault((lock, waiter, owner), [0, 0])
        edge[0] += 1
        edge[1] += ns

    def write(self, directory: Path) -> Path:
        """Write the file."""
        path = directory / f"process-{self.pid}-{self.start_ns}.hw"
        text = bytearray(b"\0")
        strings: dict[str, int] = {}

        def put(string: str) -> int:
            if string not in strings:
                strings[string] = len(text)
                text.extend(string.encode() + b"\0")
            return strings[string]

        frames: dict[tuple[str, int, str], int] = {}
        links: list[int] = []
        stacks = np.zeros(len(self.stacks), fmt.STACK)
        for i, stack in enumerate(self.stacks):
            stacks[i]["ready"], stacks[i]["first"], stacks[i]["depth"] = 1, len(links), len(stack)
            for name, value in self.stack_extra[i].items():
                stacks[i][name] = value
            links += [frames.setdefault(frame, len(frames)) for frame in stack]
        frame_rows = np.zeros(len(frames), fmt.FRAME)
        for (file, line, name), i in frames.items():
            frame_rows[i] = (1, line, i, put(file), put(name))
        locks = np.zeros(len(self.locks), fmt.LOCK)
        for i, lock in enumerate(self.locks):
            locks[i]["ready"] = 1
            for key, value in lock.items():
                locks[i][key] = value
        edges = np.array([(1, *key, *value) for key, value in self.edges.items()], fmt.EDGE)
        gils = np.zeros(self.gils, fmt.GIL)
        gils["ready"], gils["holder"] = 1, NOBODY
        for thread in self.threads:
            for number, ns in thread.held.items():
                gils["held_ns"][number] += ns
        chunks = self._chunks()
        inner = np.zeros(len(self.inner), fmt.INNER)
        for entry, fields in zip(inner, self.inner, strict=True):
            entry["ready"], entry["kind"], entry["parent"], entry["on"] = (
                1,
                fmt.InnerKind.TASK,
                NOBODY,
                NOBODY,
            )
            for key, value in fields.items():
                if key == "totals":
                    for kind, ns in value.items():
                        entry["total_ns"][kind] += ns
                else:
                    entry[key] = put(value) + 1 if key == "name" else value
        pools = np.zeros(len(self.pools), fmt.POOL)
        for entry, fields in zip(pools, self.pools, strict=True):
            entry["ready"], entry["kind"] = 1, fmt.PoolKind.THREADS
            for key, value in fields.items():
                entry[key] = put(value) + 1 if key in ("name", "type") else value
        sections = {
            Section.THREADS: self._slots(),
            Section.GILS: gils,
            Section.LOCKS: locks,
            Section.EDGES: edges,
            Section.STACKS: stacks,
            Section.LINKS: np.array(links, fmt.LINK),
            Section.FRAMES: frame_rows,
            Section.TEXT: np.frombuffer(bytes(text), fmt.TEXT),
            Section.CHUNKS: chunks,
            Section.UNITS: inner,
            Section.POOLS: pools,
        }
        header = np.zeros(1, fmt.HEADER)
        h = header[0]
        h["magic"], h["version"], h["header_bytes"] = np.void(fmt.MAGIC), fmt.VERSION, fmt.HEADER.itemsize
        h["pid"], h["ppid"], h["start_ns"], h["flags"] = self.pid, self.ppid, self.start_ns, int(self.flags)
        h["parent_start_ns"], h["parent_slot"] = self.parent_start_ns, self.parent_slot
        if self.end_ns is not None:
            h["end_ns"], h["end"] = self.end_ns, self.end
        h["python_text"] = np.void(self.python.encode().ljust(64, b"\0"))
        h["cmdline"] = np.void(b"\0".join(part.encode() for part in self.command).ljust(1024, b"\0"))
        for key, value in self.header.items():
            h[key] = value
        with path.open("wb") as out:
            offset = 4096
            for section, entries in sections.items():
                described = (offset, entries.dtype.itemsize, *[len(entries)] * 3, 0)
                if section >= Section.UNITS:
                    h[section.name.lower()] = described
                else:
                    h["sections"][section] = described
                out.seek(offset)
                out.write(entries.tobytes())
                offset += -(-entries.nbytes // 4096) * 4096
            out.truncate(max(offset, 4096))
            out.seek(0)
            out.write(header.tobytes())
        return path

    def _slots(self) -> Any:
        slots = np.zeros(len(self.threads), fmt.THREAD)
        for slot, thread in zip(slots, self.threads, strict=True):
            slot["ready"], slot["tid"], slot["creator"] = 1, thread.tid, thread.creator
            slot["created_ns"], slot["begun_ns"] = thread.start_ns, thread.start_ns
            slot["name"], slot["flags"] = thread.name.encode(), int(thread.flags)
            slot["total_ns"], slot["total_count"] = thread.total, thread.count
            slot["ready_cpu_ns"], slot["off_other_ns"] = thread.off[0], thread.off[1]
            slot["hold_ns"], slot["hold_count"] = thread.hold_ns, thread.hold_count
            slot["since_ns"] = thread.at_ns
            if thread.burst:
                names = ("start_ns", "native_ns", "io_ns", "gil_ns", "count")
                for name, value in zip(names, thread.burst, strict=True):
                    slot[f"burst_{name}"] = value
            if thread.ended:
                slot["end_ns"] = thread.at_ns
            elif thread.now:
                for name, value in zip(("kind", "now_a", "now_b", "now_c", "now_d"), thread.now, strict=True):
                    slot[name] = value
            for key, value in thread.slot.items():
                slot[key] = value
        return slots

    def _chunks(self) -> Any:
        """Chunks of all threads, interleaved, with `drop_chunks[thread]` oldest ones missing."""
        made = []
        for thread in self.threads:
            records = thread.records()
            for order, at in enumerate(range(0, len(records), fmt.CHUNK_RECORDS)):
                if order < self.drop_chunks.get(thread.number, 0):
                    continue
                made.append((order, thread.number, records[at : at + fmt.CHUNK_RECORDS]))
        made.sort(key=lambda one: one[:2])
        chunks = np.zeros(len(made), fmt.CHUNK)
        for seq, (chunk, (_, number, records)) in enumerate(zip(chunks, made, strict=True)):
            chunk["state"], chunk["slot"], chunk["seq"], chunk["count"] = 2, number, seq + 1, len(records)
            chunk["records"][: len(records)] = records
        return chunks


@dataclass
class FakeTrace:
    """A trace directory."""

    directory: Path
    cores: int = 2
    end_ns: int | None = None
    exit: int | None = 0
    cpu_s: float | None = None
    cwd: str = "/home/me/app"
    meta: dict[str, Any] = field(default_factory=dict)
    processes: list[FakeProcess] = field(default_factory=list)

    def process(self, **kw: Any) -> FakeProcess:
        """Add a process image; the first is the root."""
        made = FakeProcess(**{"pid": 100 + 100 * len(self.processes), **kw})
        self.processes.append(made)
        return made

    def write(self) -> Path:
        """Write everything; gives the directory."""
        self.directory.mkdir(parents=True, exist_ok=True)
        meta = {
            "headway_trace": 1,
            "headway_version": "0.1.0",
            "command": ["python", "prog.py"],
            "cwd": self.cwd,
            "pid": self.processes[0].pid if self.processes else 0,
            "start_ns": T0,
            "start_unix_s": 1.7e9,
            "cores": self.cores,
            "end_ns": self.end_ns,
            "exit": self.exit,
            "cpu_s": self.cpu_s,
            "options": {"buffer_mb": 64, "stack_threshold_us": 100},
            "notes": [],
            **self.meta,
        }
        (self.directory / "trace.json").write_text(json.dumps(meta))
        for process in self.processes:
            process.write(self.directory)
        return self.directory
