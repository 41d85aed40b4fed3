"""From events to states: one thread's life as intervals that touch.

They come from the records, the pending burst and the current state; where records were overwritten they are
`UNKNOWN`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from headway.trace.format import Ints, Kind, Records, ThreadFlag
from headway.trace.image import ProcessImage
from headway.trace.interval import EXACT, INFERRED, INTERVAL, RUNNING, UNKNOWN, Intervals
from headway.trace.offcore import Carver
from headway.trace.states import Life


def intervals(image: ProcessImage, number: int, life: Life, *, off_core: bool = True) -> Iterator[Intervals]:
    """Partition a thread's life, block by block, in order of time.

    Args:
        image: The process image of the thread.
        number: Its slot there.
        life: Its life.
        off_core: Tell the time off the core from running time; without, it is running time.

    Yields:
        Arrays of dtype `INTERVAL`. All of them together touch and cover [life.start_ns, life.end_ns).
    """
    slot = image.threads[number]
    carver = Carver(image.beside.get(number), life)
    horizon = _horizon(slot, life)
    cursor = life.start_ns
    for block in image.records(number):
        rows = _from_records(block, cursor, horizon)
        if len(rows):
            cursor = int(rows["end_ns"][-1])
            for out in carver.add(rows, cursor) if off_core else [rows]:
                yield _known(out, image)
    rows = _tail(slot, life, cursor, horizon)
    for out in carver.add(rows, None) if off_core else [rows]:
        yield _known(out, image)


def _horizon(slot: Any, life: Life) -> int:
    """Up to when records count. A live thread may have stored newer ones since its slot was read."""
    if int(slot["burst_count"]) and int(slot["burst_start_ns"]):
        return min(int(slot["burst_start_ns"]), life.end_ns)
    if life.open and int(slot["since_ns"]):
        return min(int(slot["since_ns"]), life.end_ns)
    return life.end_ns


def _rows(start: Any, end: Any, kind: Any, source: Any = None, certainty: int = EXACT) -> Intervals:
    out = np.empty(len(start), INTERVAL)
    out["start_ns"], out["end_ns"], out["kind"], out["certainty"] = start, end, kind, certainty
    for name in "abcd":
        out[name] = 0 if source is None else source[name]
    return out


def _from_records(block: Records, cursor: int, horizon: int) -> Intervals:
    """Turn records into rows that touch, starting at `cursor`; holes become UNKNOWN."""
    kind = (block["dur_kind"] & 0xFF).astype(np.uint8)
    is_state = (kind >= Kind.START) & (kind <= Kind.BURST)
    if not is_state.all():
        block, kind = block[is_state], kind[is_state]
    start = np.minimum(block["start_ns"], np.uint64(horizon)).astype(np.int64)
    end = np.minimum(start + (block["dur_kind"] >> np.uint64(8)).astype(np.int64), horizon)
    # invariant: records of one thread are in order; the clamps only matter for a damaged file
    before = np.empty_like(end)
    if len(end):
        before[0] = cursor
        np.maximum.accumulate(end[:-1], out=before[1:])
        np.maximum(before, cursor, out=before)
    start = np.maximum(start, before)
    keep = end > start
    if not keep.all():
        block, kind, start, end, before = block[keep], kind[keep], start[keep], end[keep], before[keep]
    burst = kind == Kind.BURST
    parts = [_rows(start, end, kind, block)]
    if burst.any():
        b = block[burst]
        parts = [parts[0][~burst], _expand(start[burst], end[burst], b["a"], b["b"], b["c"])]
    hole = start > before
    if hole.any():
        parts.append(_rows(before[hole], start[hole], UNKNOWN))
    if len(parts) == 1:
        return parts[0]
    rows: Intervals = np.concatenate(parts)
    return rows[np.argsort(rows["start_ns"], kind="stable")]


def _expand(start: Ints, end: Ints, native: Any, io: Any, gil: Any) -> Intervals:
    """Unfold bursts: python, native, io, gil one after the other. The sums are exact, the places are not."""
    edges = np.empty((len(start), 5), np.int64)
    edges[:, 0], edges[:, 4] = start, end
    room = end - start
    for column, part in ((3, gil), (2, io), (1, native)):
        part = np.minimum(np.asarray(part, np.int64), room)
        room = room - part
        edges[:, column] = edges[:, column + 1] - part
    kinds = np.broadcast_to(
        np.array([Kind.PYTHON, Kind.NATIVE, Kind.IO, Kind.GIL], np.uint8), (len(start), 4)
    )
    lo, hi = edges[:, :4].ravel(), edges[:, 1:].ravel()
    keep = hi > lo
    return _rows(lo[keep], hi[keep], kinds.ravel()[keep], certainty=INFERRED)


def _tail(slot: Any, life: Life, cursor: int, horizon: int) -> Intervals:
    """What no record holds yet: the pending burst and the current state."""
    parts = []
    since = min(int(slot["since_ns"]), life.end_ns) if int(slot["since_ns"]) else life.end_ns
    if int(slot["burst_count"]) and horizon < since:
        at = max(horizon, cursor)
        if at > cursor:
            parts.append(_rows([cursor], [at], UNKNOWN))
        if since > at:
            sums = ([int(slot[f"burst_{name}_ns"])] for name in ("native", "io", "gil"))
            parts.append(_expand(np.array([at]), np.array([since]), *sums))
            cursor = since
    kind = int(slot["kind"])
    if Kind.NONE < kind < Kind.BURST and life.end_ns > since >= cursor:
        if since > cursor:
            parts.append(_rows([cursor], [since], UNKNOWN))
        now = {name: [int(slot[f"now_{name}"])] for name in "abcd"}
        guess = kind in (Kind.PYTHON, Kind.NATIVE) and not int(slot["flags"]) & ThreadFlag.CPU_AT_END
        parts.append(_rows([since], [life.end_ns], kind, now, INFERRED if guess and life.open else EXACT))
        cursor = life.end_ns
    if cursor < life.end_ns:
        parts.append(_rows([cursor], [life.end_ns], UNKNOWN))
    return np.concatenate(parts) if parts else np.zeros(0, INTERVAL)


def _known(rows: Intervals, image: ProcessImage) -> Intervals:
    if not image.running_known:
        rows["kind"][(rows["kind"] == Kind.PYTHON) | (rows["kind"] == Kind.NATIVE)] = RUNNING
    return rows
