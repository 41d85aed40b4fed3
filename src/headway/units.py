"""The vocabulary of Headway as types: units, states, reasons, certainty and findings."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["REASONS", "Certainty", "FindingKind", "Reason", "Severity", "State", "UnitKind"]


class UnitKind(StrEnum):
    """What kind of thing runs."""

    PROCESS = "process"
    THREAD = "thread"
    TASK = "task"
    GREENLET = "greenlet"
    JOB = "job"


class State(StrEnum):
    """Where a unit is in its life. Every moment of a life is in exactly one."""

    START = "start"
    READY = "ready"
    RUNNING = "running"
    WAITING = "waiting"
    TERMINATED = "terminated"


class Reason(StrEnum):
    """Why a unit is in its state. `UNKNOWN` says that it could not be told, and is never counted as zero."""

    GIL = "gil"
    CPU = "cpu"
    LOOP = "loop"
    QUEUE = "queue"
    PYTHON = "python"
    NATIVE = "native"
    LOCK = "lock"
    CONDITION = "condition"
    EVENT = "event"
    JOIN = "join"
    FUTURE = "future"
    SLEEP = "sleep"
    IO = "io"
    PROCESS = "process"
    OTHER = "other"
    UNKNOWN = "unknown"


class Certainty(StrEnum):
    """How an interval is known."""

    EXACT = "exact"
    SAMPLED = "sampled"
    INFERRED = "inferred"


class FindingKind(StrEnum):
    """The verdicts that a trace can give."""

    DEADLOCK = "deadlock"
    STUCK = "stuck"
    GIL_BOUND = "gil-bound"
    LOCK_CONVOY = "lock-convoy"
    LOCK_ORDER = "lock-order"
    LOOP_BLOCKED = "loop-blocked"
    POOL_STARVED = "pool-starved"
    OVERSUBSCRIBED = "oversubscribed"
    LEAKED = "leaked"
    SERIAL = "serial"


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


REASONS: dict[State, tuple[Reason, ...]] = {
    State.START: (),
    State.READY: (Reason.GIL, Reason.CPU, Reason.LOOP, Reason.QUEUE),
    State.RUNNING: (Reason.PYTHON, Reason.NATIVE, Reason.UNKNOWN),
    State.WAITING: (
        Reason.LOCK,
        Reason.CONDITION,
        Reason.EVENT,
        Reason.QUEUE,
        Reason.JOIN,
        Reason.FUTURE,
        Reason.SLEEP,
        Reason.IO,
        Reason.PROCESS,
        Reason.OTHER,
    ),
    State.TERMINATED: (),
}
