"""The trace format as numpy dtypes: the Python side of `native/record.h`, which is its source.

A test compiles that header and compares every size and offset with the dtypes here.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"HEADWAY\0"
VERSION = 1
NOBODY = 0xFFFFFFFF
OUTSIDE = 0xFFFFFFFE
AFAR = 0xFFFFFFFD
PEER = 0x80000000
CHUNK_BYTES = 16384
CHUNK_RECORDS = (CHUNK_BYTES - 64) // 32
CHUNK_HEADER_BYTES = 64
NAME_BYTES = 64
NKINDS = 16
ORDER_HELD = 6

Records = NDArray[np.void]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Kind(IntEnum):
    """Kinds of a record, and of a thread's current state (enum hw_kind)."""

    NONE = 0
    START = 1
    PYTHON = 2
    NATIVE = 3
    GIL = 4
    CPU = 5
    LOCK = 6
    CONDITION = 7
    EVENT = 8
    QUEUE = 9
    JOIN = 10
    FUTURE = 11
    SLEEP = 12
    IO = 13
    PROCESS = 14
    OTHER = 15
    BURST = 16
    OFFCPU = 17
    CHILD = 18
    REAPED = 19
    HOLD = 20
    STEP = 21
    STEPS = 22
    LONG = 23
    WAITED = 24


class Io(IntEnum):
    """What an IO record waited for (enum hw_io)."""

    READ = 1
    WRITE = 2
    POLL = 3
    ACCEPT = 4
    CONNECT = 5
    SYNC = 6
    OPEN = 7
    LOCK = 8
    RESOLVE = 9


class End(IntEnum):
    """How a process image ended (enum hw_end)."""

    NONE = 0
    EXIT = 1
    QUICK = 2
    EXEC = 3
    ABORT = 4


class ThreadFlag(IntFlag):
    """What is known of a thread (enum hw_thread_flags)."""

    MAIN = 1
    PYTHON = 2
    ADOPTED = 4
    CPU_AT_END = 8


class Flag(IntFlag):
    """What is known of a process image (enum hw_flags)."""

    PYTHON = 1
    GIL_FOUND = 2
    GIL_TAKEN = 4
    FREE_THREADED = 8
    STACKS = 16
    FORKED = 32
    HANDLERS = 64
    NO_SPACE = 128
    PYPY = 256
    TASKS = 512
    JOBS = 1024
    GREENLETS = 2048
    CHILDREN_IGNORED = 4096
    ON_SIGNAL = 8192


class InnerKind(IntEnum):
    """What runs on threads in turn (enum hw_unit_kind)."""

    TASK = 1
    GREENLET = 2
    JOB = 3


class InnerFlag(IntFlag):
    """What is known of it (enum hw_unit_flags)."""

    MANY = 1
    LATE = 2
    FAILED = 4
    CANCELLED = 8
    DROPPED = 16
    HUB = 32
    MAIN = 64
    DESTROYED = 128


class PoolKind(IntEnum):
    """What an entry of the pool section tells of a pool (enum hw_pool_kind)."""

    THREADS = 1
    PROCESSES = 2
    WORKER = 3


class Section(IntEnum):
    """The sections of a process file, in the order of the header (enum hw_section_id)."""

    THREADS = 0
    GILS = 1
    LOCKS = 2
    EDGES = 3
    STACKS = 4
    LINKS = 5
    FRAMES = 6
    TEXT = 7
    CHUNKS = 8
    UNITS = 9
    POOLS = 10
    ORDERS = 11


def _struct(*fields: tuple[Any, ...]) -> np.dtype[np.void]:
    """Lay fields out one after the other; `align` gives the offsets that a C compiler would give."""
    return np.dtype(list(fields), align=True)


RECORD = _struct(
    ("start_ns", "<u8"), ("dur_kind", "<u8"), ("a", "<u4"), ("b", "<u4"), ("c", "<u4"), ("d", "<u4")
)
CHUNK_HEADER = _struct(
    ("state", "<u4"),
    ("slot", "<u4"),
    ("seq", "<u8"),
    ("count", "<u4"),
    ("pad0", "<u4"),
    ("last_end_ns", "<u8"),
    ("pad1", "<u8", (4,)),
)
CHUNK = _struct(
    *((n, CHUNK_HEADER[n]) for n in CHUNK_HEADER.names or ()), ("records", RECORD, (CHUNK_RECORDS,))
)
THREAD = _struct(
    ("ready", "<u4"),
    ("version", "<u4"),
    ("tid", "<u4"),
    ("creator", "<u4"),
    ("created_ns", "<u8"),
    ("begun_ns", "<u8"),
    ("end_ns", "<u8"),
    ("pthread", "<u8"),
    ("name", f"S{NAME_BYTES}"),
    ("create_stack", "<u4"),
    ("flags", "<u4"),
    ("kind", "<u4"),
    ("holds", "<u4"),
    ("since_ns", "<u8"),
    ("hold_since_ns", "<u8"),
    ("now_a", "<u4"),
    ("now_b", "<u4"),
    ("now_c", "<u4"),
    ("now_d", "<u4"),
    ("burst_start_ns", "<u8"),
    ("burst_native_ns", "<u8"),
    ("burst_io_ns", "<u8"),
    ("burst_gil_ns", "<u8"),
    ("burst_count", "<u4"),
    ("chunk", "<u4"),
    ("total_ns", "<u8", (NKINDS,)),
    ("total_count", "<u8", (NKINDS,)),
    ("hold_ns", "<u8"),
    ("hold_count", "<u8"),
    ("ready_cpu_ns", "<u8", (2,)),
    ("off_other_ns", "<u8", (2,)),
    ("cpu_ns", "<u8"),
    ("cpu_at_ns", "<u8"),
    ("run_delay_ns", "<u8"),
    ("window_run_ns", "<u8", (2,)),
    ("records", "<u8"),
    ("lost", "<u8"),
    ("end_cpu_ns", "<u8"),
    ("end_run_delay_ns", "<u8"),
    ("held_from_ns", "<u8"),
    ("held_to_ns", "<u8"),
    ("held_ns", "<u8"),
    ("held_longest_ns", "<u8"),
    ("held_lock", "<u4"),
    ("held_count", "<u4"),
    ("room", "<u8", (3,)),
)
GIL = _struct(
    ("ready", "<u4"),
    ("holder", "<u4"),
    ("address", "<u8"),
    ("created_ns", "<u8"),
    ("taken_ns", "<u8"),
    ("dropped_ns", "<u8"),
    ("dropper", "<u4"),
    ("pad", "<u4"),
    ("takes", "<u8"),
    ("held_ns", "<u8"),
)
LOCK = _struct(
    ("ready", "<u4"),
    ("kind", "<u4"),
    ("address", "<u8"),
    ("made_stack", "<u4"),
    ("identity", "<u4"),
    ("created_ns", "<u8"),
    ("waits", "<u8"),
    ("wait_ns", "<u8"),
    ("longest_ns", "<u8"),
    ("held_ns", "<u8"),
    ("longest_stack", "<u4"),
    ("release_stack", "<u4"),
    ("longest_hold_ns", "<u8"),
    ("longest_hold_slot", "<u4"),
    ("foreign_posts", "<u4"),
    ("owner", "<u4"),
    ("shared", "<u4"),
)
EDGE = _struct(
    ("ready", "<u4"),
    ("lock", "<u4"),
    ("waiter", "<u4"),
    ("owner", "<u4"),
    ("waits", "<u8"),
    ("wait_ns", "<u8"),
)
STACK = _struct(
    ("ready", "<u4"),
    ("kind", "<u4"),
    ("hash", "<u8"),
    ("first", "<u4"),
    ("depth", "<u4"),
    ("cut", "<u4"),
    ("named", "<u4"),
    ("hold_count", "<u8"),
    ("hold_ns", "<u8"),
    ("wait_count", "<u8"),
    ("wait_ns", "<u8"),
)
INNER = _struct(
    ("ready", "<u4"),
    ("version", "<u4"),
    ("kind", "<u4"),
    ("flags", "<u4"),
    ("creator", "<u4"),
    ("parent", "<u4"),
    ("carrier", "<u4"),
    ("create_stack", "<u4"),
    ("code", "<u4"),
    ("name", "<u4"),
    ("steps", "<u4"),
    ("count", "<u4"),
    ("created_ns", "<u8"),
    ("begun_ns", "<u8"),
    ("end_ns", "<u8"),
    ("since_ns", "<u8"),
    ("state", "<u4"),
    ("stack", "<u4"),
    ("on", "<u4"),
    ("live", "<u4"),
    ("loop_ns", "<u8"),
    ("longest_ns", "<u8"),
    ("failed", "<u4"),
    ("cancelled", "<u4"),
    ("number", "<u8"),
    ("total_ns", "<u8", (NKINDS,)),
)
POOL = _struct(
    ("ready", "<u4"),
    ("version", "<u4"),
    ("kind", "<u4"),
    ("name", "<u4"),
    ("type", "<u4"),
    ("size", "<u4"),
    ("workers", "<u4"),
    ("creator", "<u4"),
    ("first_stack", "<u4"),
    ("queued", "<u4"),
    ("running", "<u4"),
    ("most_queued", "<u4"),
    ("most_running", "<u4"),
    ("pipe", "<u4"),
    ("jobs", "<u8"),
    ("lost", "<u8"),
    ("beside", "<u8"),
    ("begun", "<u8"),
    ("ended", "<u8"),
    ("failed", "<u8"),
    ("cancelled", "<u8"),
    ("dropped", "<u8"),
    ("queue_ns", "<u8"),
    ("run_ns", "<u8"),
    ("longest_queue_ns", "<u8"),
    ("longest_run_ns", "<u8"),
    ("first_ns", "<u8"),
    ("end_ns", "<u8"),
    ("since_ns", "<u8"),
    ("some_ns", "<u8"),
    ("several_ns", "<u8"),
    ("full_ns", "<u8"),
    ("full_queue_ns", "<u8"),
)
ORDER = _struct(
    ("ready", "<u4"),
    ("thread", "<u4"),
    ("inner", "<u4"),
    ("count", "<u4"),
    ("held", "<u4", (ORDER_HELD,)),
    ("stack", "<u4"),
    ("opposite", "<u4"),
    ("epoch", "<u4"),
    ("next", "<u4"),
    ("first_ns", "<u8"),
    ("last_ns", "<u8"),
)
LINK = np.dtype("<u4")
FRAME = _struct(("ready", "<u4"), ("line", "<u4"), ("hash", "<u8"), ("file", "<u4"), ("name", "<u4"))
TEXT = np.dtype("u1")
SECTION = _struct(
    ("offset", "<u8"),
    ("stride", "<u4"),
    ("capacity", "<u4"),
    ("count", "<u4"),
    ("reserved", "<u4"),
    ("lost", "<u8"),
)
HEADER = _struct(
    ("magic", "V8"),
    ("version", "<u4"),
    ("header_bytes", "<u4"),
    ("pid", "<u4"),
    ("ppid", "<u4"),
    ("start_ns", "<u8"),
    ("parent_start_ns", "<u8"),
    ("end_ns", "<u8"),
    ("end", "<u4"),
    ("flags", "<u4"),
    ("python_version", "<u4"),
    ("parent_slot", "<u4"),
    ("cpu_ns", "<u8"),
    ("stack_threshold_ns", "<u8"),
    ("coalesce_ns", "<u8"),
    ("overwritten", "<u8"),
    ("overwritten_until_ns", "<u8"),
    ("chunk_seq", "<u8"),
    ("untracked_threads", "<u8"),
    ("sections", SECTION, (Section.UNITS,)),
    ("start_cpu_ns", "<u8"),
    ("exit_code", "<u4"),
    ("pad", "<u4"),
    ("python_text", "V64"),
    ("exe", "V256"),
    ("cmdline", "V1024"),
    ("units", SECTION),
    ("pools", SECTION),
    ("orders", SECTION),
)

HEADER_BYTES = HEADER.itemsize - 3 * SECTION.itemsize
"""The least that a header has. A file made before there were the last sections ends there, and has zeros behind."""


def section(header: Any, of: Section) -> Any:
    """The description of a section, scalar of `SECTION`."""
    return header["sections"][of] if of < Section.UNITS else header[of.name.lower()]


SHARED_MAGIC = b"HEADSEM\0"
SHARED_VERSION = 1
SHARED_THREADS = 16384
SHARED_SEMAPHORES = 4096
SHARED_HEADER = _struct(("magic", "V8"), ("version", "<u4"), ("threads", "<u4"), ("pad", "<u4", (12,)))
SHARED_THREAD = _struct(("start_ns", "<u8"), ("pid", "<u4"), ("slot", "<u4"))
SHARED_SEMAPHORE = _struct(
    ("key", "<u8"),
    ("owner", "<u4"),
    ("waker", "<u4"),
    ("waiters", "<u4"),
    ("foreign", "<u4"),
    ("value", "<u4"),
    ("maker", "<u4"),
    ("made_stack", "<u4"),
    ("pad", "<u4"),
    ("created_ns", "<u8"),
    ("held_from_ns", "<u8"),
    ("pad1", "<u8"),
)

# dtype of an entry of each section
ENTRY: dict[Section, np.dtype[Any]] = {
    Section.THREADS: THREAD,
    Section.GILS: GIL,
    Section.LOCKS: LOCK,
    Section.EDGES: EDGE,
    Section.STACKS: STACK,
    Section.LINKS: LINK,
    Section.FRAMES: FRAME,
    Section.TEXT: TEXT,
    Section.CHUNKS: CHUNK,
    Section.UNITS: INNER,
    Section.POOLS: POOL,
    Section.ORDERS: ORDER,
}
