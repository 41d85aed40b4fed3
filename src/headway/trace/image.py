"""One process image: reads one `process-PID-STARTNS.hw` file, also while its process still writes it.

The file is sparse and may be cut off anywhere (a partial copy): what is missing reads as absent. Everything
but the records is small and read at once; records are read block by block, so memory does not grow with them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headway.errors import TraceTooNew, TraceUnreadable
from headway.trace import format as fmt
from headway.trace.format import Flag, Kind, Records, Section

CHUNKS_AT_ONCE = 256  # a call reads two buffers of each, and takes 1024 at most
"""Chunks of a block: 4 MiB of records."""

_RETRIES = 20
"""How often a slot that is just being written is read again. One that stays odd belongs to a dead thread."""
_ENDLESS_NS = 1 << 58
"""Nine years: no time in a trace, and no sum of times of one thread, is as much."""
_MOST_SUM_NS = 1 << 61
"""A quarter of a million units that were there at once for nine hours come to that."""
_HEADER_TIMES = ("start_ns", "parent_start_ns", "end_ns", "cpu_ns", "start_cpu_ns", "overwritten_until_ns")
_TIMES = (
    *("created_ns", "begun_ns", "end_ns", "since_ns", "hold_since_ns", "burst_start_ns", "total_ns"),
    *("burst_native_ns", "burst_io_ns", "burst_gil_ns", "ready_cpu_ns", "off_other_ns", "cpu_ns"),
    *("cpu_at_ns", "hold_ns", "run_delay_ns", "window_run_ns", "end_cpu_ns", "end_run_delay_ns"),
    *("held_from_ns", "held_to_ns", "held_ns", "held_longest_ns"),
)
_INNER_TIMES = ("created_ns", "begun_ns", "end_ns", "since_ns", "loop_ns", "longest_ns")
_INNER_SUMS = ("total_ns",)
_POOL_TIMES = (
    *("run_ns", "longest_queue_ns", "longest_run_ns", "first_ns", "end_ns", "since_ns"),
    *("some_ns", "several_ns", "full_ns"),
)
_POOL_SUMS = ("queue_ns", "full_queue_ns")


class Truncated(Exception):
    """The header is not whole."""


class ProcessImage:
    """What one file says of one process image.

    Args:
        path: A `.hw` file.
        records: Read all records once, for `beside` and `latest_ns`. Without that it costs the same however
            long the program has run.
    Raises:
        TraceUnreadable: It is not such a file.
        TraceTooNew: Its format is newer than this reader.
        Truncated: Its header is not whole, as when its process was killed while making it.

    Attributes:
        header: Scalar of `format.HEADER`.
        threads: Slots, dtype `format.THREAD`; index = number of the thread; `ready` 0 where there is none.
        gils, locks, edges, stacks, links, frames, text: The other sections, each as long as it could be read.
        inner: What runs on the threads in turn, dtype `format.INNER`.
        pools: The executors whose jobs these are, dtype `format.POOL`.
        orders: Locks that a thread took while it had others, dtype `format.ORDER`.
        beside: OFFCPU, CHILD, REAPED and HOLD records of each slot, dtype `format.RECORD`.
        latest_ns: The latest time that anything in the file speaks of.
        cut_off: The file is shorter than its own header says.
    """

    def __init__(self, path: Path, *, records: bool = True) -> None:
        self.path = path
        try:
            with path.open("rb", buffering=0) as file:
                self._read(file.fileno(), records=records)
        except OSError as error:
            raise TraceUnreadable(f"{path}: {error.strerror or error}") from error

    def _read(self, fd: int, *, records: bool) -> None:
        self._size = os.fstat(fd).st_size
        raw = os.pread(fd, fmt.HEADER.itemsize, 0)
        if not raw or (len(raw) < fmt.HEADER.itemsize and fmt.MAGIC.startswith(raw[:8])):
            raise Truncated(f"{self.path.name}: ends before its header does ({len(raw)} bytes)")
        if not any(raw[:8]):  # it is written last
            raise Truncated(f"{self.path.name}: its process has only just begun it, or was killed then")
        if raw[:8] != fmt.MAGIC:
            raise TraceUnreadable(
                f"{self.path}: not a trace file: it starts with {raw[:8]!r}, not {fmt.MAGIC!r}",
                hint="remove the file, or record the trace again",
            )
        version = int.from_bytes(raw[8:12], "little")
        if version > fmt.VERSION:
            raise TraceTooNew(
                f"{self.path}: format {version}; this headway reads up to {fmt.VERSION}",
                hint="upgrade headway, or read the trace with the one that recorded it",
            )
        if len(raw) < fmt.HEADER.itemsize:
            raise Truncated(f"{self.path.name}: ends before its header does ({len(raw)} bytes)")
        self.header: Any = np.frombuffer(raw, fmt.HEADER)[0]
        if version == 0 or int(self.header["header_bytes"]) < fmt.HEADER_BYTES:
            raise TraceUnreadable(
                f"{self.path}: damaged header: version {version}, {self.header['header_bytes']} bytes"
            )
        self.cut_off = False
        self.threads = self._threads(fd)
        self.gils = self._section(fd, Section.GILS)
        self.locks = self._section(fd, Section.LOCKS)
        self._count_pending_holds()
        self.edges = self._section(fd, Section.EDGES)
        self.stacks = self._section(fd, Section.STACKS)
        self.links = self._section(fd, Section.LINKS)
        self.frames = self._section(fd, Section.FRAMES)
        self.text = self._section(fd, Section.TEXT).tobytes()
        self.inner = self._section(fd, Section.UNITS)
        self.pools = self._section(fd, Section.POOLS)
        self.orders = self._section(fd, Section.ORDERS)
        self._check_figures()
        self._index_chunks(fd, records=records)
        self._scan()

    def _check_figures(self) -> None:
        """Refuse figures that no clock can give, whose sums would overflow, and kinds that there are not."""
        inner = self.inner[self.inner["ready"] != 0]
        pools = self.pools[self.pools["ready"] != 0]
        here = [
            ("header", self.header, _HEADER_TIMES, _ENDLESS_NS),
            ("a thread", self.threads[self.threads["ready"] != 0], _TIMES, _ENDLESS_NS),
            ("a task or job", inner, _INNER_TIMES, _ENDLESS_NS),
            ("a task or job", inner, _INNER_SUMS, _MOST_SUM_NS),
            ("a pool", pools, _POOL_TIMES, _ENDLESS_NS),
            ("a pool", pools, _POOL_SUMS, _MOST_SUM_NS),
        ]
        for what, entries, names, limit_ns in here:
            for name in names:
                most = int(np.max(entries[name], initial=0))
                if most >= limit_ns:
                    raise TraceUnreadable(f"{self.path}: damaged: {name} of {what} is {most}")
        for what, entries, kinds in (
            ("a task or job", inner, fmt.InnerKind),
            ("a pool", pools, fmt.PoolKind),
        ):
            unknown = entries["kind"][~np.isin(entries["kind"], list(kinds))]
            if len(unknown):
                raise TraceUnreadable(f"{self.path}: damaged: kind of {what} is {int(unknown[0])}")

    # --- sections

    def _section(self, fd: int, section: Section) -> NDArray[Any]:
        """Entries of a section, copied: as many as are in use and in the file."""
        dtype = fmt.ENTRY[section]
        offset, stride, count = self._extent(section)
        raw = os.pread(fd, count * stride, offset) if count else b""
        count = len(raw) // stride if stride else 0
        if stride == dtype.itemsize:
            return np.frombuffer(raw, dtype, count).copy()
        return np.ndarray((count,), dtype, raw, 0, (stride,)).copy()

    def _extent(self, section: Section) -> tuple[int, int, int]:
        """Offset, stride and number of entries, kept within the file."""
        entry = fmt.section(self.header, section)
        offset, stride = int(entry["offset"]), int(entry["stride"])
        used = min(int(entry["count"]), int(entry["capacity"]))
        if used == 0:
            return offset, stride, 0
        if stride < fmt.ENTRY[section].itemsize or offset < fmt.HEADER.itemsize:
            raise TraceUnreadable(
                f"{self.path}: damaged: section {section.name} at {offset} by {stride} bytes"
            )
        there = max(0, self._size - offset) // stride
        self.cut_off |= there < used
        return offset, stride, min(used, there)

    def _threads(self, fd: int) -> NDArray[Any]:
        """Slots, each as it was at one moment: read again while its thread was writing it."""
        slots = self._section(fd, Section.THREADS)
        offset, stride, _ = self._extent(Section.THREADS)
        again = self._section(fd, Section.THREADS)[: len(slots)]
        torn = np.flatnonzero(
            (slots["version"][: len(again)] != again["version"]) | (again["version"] & 1 == 1)
        )
        for i in torn:
            for _ in range(_RETRIES):
                before = os.pread(fd, fmt.THREAD.itemsize, offset + int(i) * stride)
                after = os.pread(fd, fmt.THREAD.itemsize, offset + int(i) * stride)
                if len(before) < fmt.THREAD.itemsize:
                    break
                slots[i] = np.frombuffer(before, fmt.THREAD)[0]
                if before == after:
                    break
        return slots

    def _count_pending_holds(self) -> None:
        """Add to the locks what the threads' slots still keep of them."""
        for slot in np.flatnonzero(self.threads["held_count"] > 0).tolist():
            pending = self.threads[slot]
            if pending["held_lock"] < len(self.locks):
                lock = self.locks[pending["held_lock"]]
                lock["held_ns"] += pending["held_ns"]
                if pending["held_longest_ns"] > lock["longest_hold_ns"]:
                    lock["longest_hold_ns"], lock["longest_hold_slot"] = pending["held_longest_ns"], slot
                    lock["release_stack"] = 0

    # --- records

    def _index_chunks(self, fd: int, *, records: bool) -> None:
        """Find out which chunk holds what; O(chunks), without reading their records."""
        offset, stride, count = self._extent(Section.CHUNKS)
        self._chunks_at, self._chunk_stride = offset, stride
        entry = fmt.section(self.header, Section.CHUNKS)
        if count < min(int(entry["count"]), int(entry["capacity"])) and self._size > offset + count * stride:
            count += 1  # the file ends inside this chunk; its first records are still good
        if not records:
            count = 0
        size = fmt.CHUNK_HEADER_BYTES
        heads = b"".join(os.pread(fd, size, offset + i * stride).ljust(size, b"\0") for i in range(count))
        self._heads = np.frombuffer(heads, fmt.CHUNK_HEADER)
        used = (self._heads["state"] != 0) & (self._heads["count"] > 0)
        order = np.lexsort((self._heads["seq"], self._heads["slot"]))
        self._order = order[used[order]]
        self._slots_of_order = self._heads["slot"][self._order]

    def chunks_of(self, slot: int) -> NDArray[np.intp]:
        """Indices of the chunks of a thread, oldest first."""
        lo, hi = np.searchsorted(self._slots_of_order, [slot, slot + 1])
        order: NDArray[np.intp] = self._order
        return order[lo:hi]

    def records(self, slot: int) -> Iterator[Records]:
        """Records of a thread in order, block by block, dtype `format.RECORD`.

        Chunks that were taken again for newer records while they were read are left out.
        """
        chunks = self.chunks_of(slot)
        if not len(chunks):
            return
        live = int(self.header["end_ns"]) == 0
        with self.path.open("rb", buffering=0) as file:
            for at in range(0, len(chunks), CHUNKS_AT_ONCE):
                yield self._block(file.fileno(), chunks[at : at + CHUNKS_AT_ONCE], live=live)

    def _block(self, fd: int, chunks: NDArray[np.intp], *, live: bool) -> Records:
        heads = np.zeros(len(chunks), fmt.CHUNK_HEADER)
        records = np.empty((len(chunks), fmt.CHUNK_RECORDS), fmt.RECORD)
        head_view = memoryview(heads.view("u1").data)
        record_view = memoryview(records.view("u1").data).cast("B")
        head_size, size = fmt.CHUNK_HEADER_BYTES, fmt.CHUNK_RECORDS * fmt.RECORD.itemsize
        at, stride = self._chunks_at, self._chunk_stride
        # a run of neighbouring chunks is read by one call, which sorts headers and records into two arrays
        neighbours = (np.diff(chunks) == 1) & (stride == fmt.CHUNK_BYTES)
        breaks = (np.flatnonzero(~neighbours) + 1).tolist()
        for lo, hi in zip([0, *breaks], [*breaks, len(chunks)], strict=True):
            parts = []
            for i in range(lo, hi):
                parts.append(head_view[i * head_size : (i + 1) * head_size])
                parts.append(record_view[i * size : (i + 1) * size])
            os.preadv(fd, parts, at + int(chunks[lo]) * stride)
        # where the file ends inside a chunk, only what was read of it counts
        room = (self._size - at - chunks * stride - head_size) // fmt.RECORD.itemsize
        counts = np.clip(np.minimum(heads["count"], room), 0, fmt.CHUNK_RECORDS)
        expected = self._heads["seq"][chunks]
        good = heads["seq"] == expected
        if live:
            for i, chunk in enumerate(chunks):
                head = os.pread(fd, head_size, at + int(chunk) * stride)
                good[i] &= head[8:16] == int(expected[i]).to_bytes(8, "little")
        counts = np.where(good, counts, 0)
        if (counts == fmt.CHUNK_RECORDS).all():
            return records.reshape(-1)
        return records[np.arange(fmt.CHUNK_RECORDS) < counts[:, None]]

    def _scan(self) -> None:
        """Collect what lies beside the intervals, and the latest time: one pass over all records."""
        self.beside: dict[int, Records] = {}
        latest = [
            int(self.header["start_ns"]),
            int(self.header["end_ns"]),
            int(self.header["overwritten_until_ns"]),
        ]
        for field in ("created_ns", "end_ns", "since_ns"):
            latest.append(int(self.inner[field][self.inner["ready"] != 0].max(initial=0)))
        latest.append(int(self.pools["since_ns"][self.pools["ready"] != 0].max(initial=0)))
        for field in ("created_ns", "begun_ns", "end_ns", "since_ns", "cpu_at_ns", "hold_since_ns"):
            ready = self.threads["ready"] != 0
            latest.append(int(self.threads[field][ready].max(initial=0)))
        for slot in sorted(set(self._slots_of_order.tolist())):  # np.unique would import numpy.ma
            found = []
            for block in self.records(slot):
                if len(block):
                    kinds = block["dur_kind"] & 0xFF
                    found.append(block[(kinds >= Kind.OFFCPU) & (kinds <= Kind.HOLD)])
                    last = block[-1]
                    latest.append(min(int(last["start_ns"]) + (int(last["dur_kind"]) >> 8), _ENDLESS_NS))
            if found:
                self.beside[slot] = np.concatenate(found)
        for slot in np.flatnonzero(self.threads["held_count"] > 0).tolist():
            pending = _pending_hold(self.threads[slot])
            self.beside[slot] = np.concatenate([self.beside.get(slot, pending[:0]), pending])
        self.latest_ns = max(latest)

    # --- facts

    @property
    def flags(self) -> Flag:
        """What is known of the image."""
        return Flag(int(self.header["flags"])) & ~Flag(0)

    @property
    def gil(self) -> bool | None:
        """Whether there is a GIL: None where one was not found, or is not CPython's."""
        if self.flags & Flag.FREE_THREADED:
            return False
        found = Flag.GIL_FOUND | Flag.GIL_TAKEN
        return True if self.flags & found == found else None

    @cached_property
    def running_known(self) -> bool:
        """Whether `running: python` can be told from `running: native`."""
        return self.gil is True or not self.flags & Flag.PYTHON

    def is_mapped_by(self, pid: int) -> bool:
        """Whether a process that runs now still writes this file."""
        try:
            return str(self.path.resolve()) in Path(f"/proc/{pid}/maps").read_text("utf-8", "replace")
        except OSError:
            return False

    @property
    def python(self) -> str | None:
        """Version of Python, as `3.11.7`, or `PyPy`; None if there is none or it is not known."""
        if self.flags & Flag.PYPY:
            return "PyPy"
        text = zero_ended(self.header["python_text"])
        if text:
            return text.split()[0]
        number = int(self.header["python_version"])
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}" if number else None

    @property
    def command(self) -> list[str]:
        """The arguments that the process was started with, as far as they fit."""
        raw = self.header["cmdline"].tobytes().rstrip(b"\0")
        return [part.decode("utf-8", "replace") for part in raw.split(b"\0")] if raw else []

    @property
    def complete_from_ns(self) -> int:
        """From when on no record is missing; 0: from the start."""
        return int(self.header["overwritten_until_ns"])


def _pending_hold(slot: Any) -> Records:
    """The HOLD record that a thread's pending short holds would have become."""
    one = int(slot["held_count"]) == 1
    duration_ns = max(int(slot["held_to_ns"]) - int(slot["held_from_ns"]), 0)
    record = np.zeros(1, fmt.RECORD)
    record["start_ns"], record["dur_kind"] = slot["held_from_ns"], duration_ns << 8 | Kind.HOLD
    record["a"] = slot["held_lock"]
    record["c"], record["d"] = (0, 0) if one else (slot["held_ns"], slot["held_count"])
    return record


def zero_ended(field: Any) -> str:
    """Text of a field of fixed size."""
    return (
        bytes(field.tobytes() if hasattr(field, "tobytes") else field)
        .split(b"\0", 1)[0]
        .decode("utf-8", "replace")
    )
