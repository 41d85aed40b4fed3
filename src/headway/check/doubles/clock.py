"""`time`: the execution's own, which stands still while anything can run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from headway.check.unit import NEVER
from headway.check.world import here, world

__all__ = ["DOUBLES", "EPOCH_NS", "START_NS"]

START_NS = 1_000 * 1_000_000_000
"""`monotonic` and `perf_counter` begin here in each execution, so that a replay sees the same."""
EPOCH_NS = 1_750_000_000 * 1_000_000_000
"""`time.time` begins here."""

_sleep = time.sleep


def sleep(seconds: Any, /) -> None:
    """As `time.sleep`."""
    me = here()
    if me is None:
        _sleep(seconds)
        return
    execution = world.execution
    assert execution is not None
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    if seconds == 0:
        execution.give_way(me)
    else:
        execution.sync(me, "sleep", None, NEVER, execution.now_ns + max(1, round(seconds * 1e9)))


def _reader(name: str, base_ns: int) -> Callable[[], Any]:
    real = getattr(time, name)
    whole = name.endswith("_ns")

    def read() -> Any:
        me = here()
        if me is None:
            return real()
        execution = world.execution
        assert execution is not None
        now = execution.read_clock(me) + base_ns
        return now if whole else now / 1e9

    read.__name__ = read.__qualname__ = name
    read.__doc__ = f"As `time.{name}`."
    return read


DOUBLES: dict[str, tuple[Any, Any]] = {
    "sleep": (_sleep, sleep),
    **{
        name: (getattr(time, name), _reader(name, base))
        for name, base in {
            "monotonic": START_NS,
            "monotonic_ns": START_NS,
            "perf_counter": START_NS,
            "perf_counter_ns": START_NS,
            "time": EPOCH_NS,
            "time_ns": EPOCH_NS,
        }.items()
    },
}
"""Name in `time`: the real function and its double."""
