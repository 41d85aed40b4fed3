"""lock-order: two threads take the same two locks in opposite orders. If both do so at once, they wait for ever.

All of these must hold:

- one thread took the second lock while it had the first, and another thread took the first while it had the second;
- no lock was had by both meanwhile, which would keep them apart;
- nothing that the tracer saw orders these two moments in time: no start or end of a thread, no event, condition, queue,
  lock or input that could have told the later thread of the earlier one (native/order.c);
- both took the inner lock without a time limit, and not only if it was free: that is read in the source;
- neither lock was ever released by a thread that had not taken it: that is a signal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from headway.trace.figures import count
from headway.trace.findings.finding import Finding
from headway.trace.gil import Gil
from headway.trace.locks import Lock, every_lock
from headway.trace.model import Thread, Trace
from headway.trace.source import Sources
from headway.trace.stacks import Frame, own_frame, short_path
from headway.trace.standstill import place_of
from headway.units import FindingKind, Severity


@dataclass(frozen=True, slots=True)
class _Taking:
    """A thread took `inner` while it had `outer`."""

    thread: Thread
    outer: Lock
    inner: Lock
    frames: tuple[Frame, ...]
    first_ns: int
    last_ns: int


class LockOrder:
    """Finds locks that are taken in opposite orders. The module says when that is told."""

    def find(self, trace: Trace, gils: list[Gil], locks: list[Lock]) -> list[Finding]:
        """See `Finder`."""
        return list(orders_of(trace, locks))


def orders_of(
    trace: Trace, locks: list[Lock], *, image_index: int | None = None, since_ns: int = 0
) -> Iterator[Finding]:
    """The findings of a trace, one for each two places in the source.

    Args:
        trace: Where they are.
        locks: Those that have ids.
        image_index: Only of this process image; None: of all.
        since_ns: Only what was seen at this time or later.
    """
    if not any((image.orders["opposite"] != 0).any() for image in trace.images):
        return
    ids = {part: lock.id for lock in locks for part in lock.parts}
    by_part = {part: lock for lock in every_lock(trace) for part in lock.parts}
    sources = Sources(trace.meta.cwd, trace.meta.start_unix_s or 0.0)
    places: dict[frozenset[tuple[Frame, ...]], list[tuple[_Taking, _Taking]]] = {}
    for index in range(len(trace.images)) if image_index is None else (image_index,):
        for one, other in _opposites(trace, index, by_part):
            if min(one.last_ns, other.last_ns) >= since_ns and _is_danger(sources, one, other):
                places.setdefault(frozenset((one.frames, other.frames)), []).append((one, other))
    for pairs in places.values():
        yield _finding(trace, sources, pairs, ids)


def _opposites(
    trace: Trace, index: int, locks: dict[tuple[int, int], Lock]
) -> Iterator[tuple[_Taking, _Taking]]:
    """Each pair once."""
    orders = trace.images[index].orders
    done: set[frozenset[int]] = set()
    for number in np.flatnonzero((orders["ready"] != 0) & (orders["opposite"] != 0)).tolist():
        other = int(orders["opposite"][number]) - 1
        if other >= len(orders) or frozenset((number, other)) in done:
            continue
        done.add(frozenset((number, other)))
        takings = [_taking(trace, index, a, b, locks) for a, b in ((number, other), (other, number))]
        if takings[0] is not None and takings[1] is not None:
            yield takings[0], takings[1]


def _taking(
    trace: Trace, index: int, number: int, opposite: int, locks: dict[tuple[int, int], Lock]
) -> _Taking | None:
    order, other = trace.images[index].orders[number], trace.images[index].orders[opposite]
    thread = trace.thread(index, int(order["thread"]))
    outer, inner = locks.get((index, int(other["inner"]))), locks.get((index, int(order["inner"])))
    held = order["held"][: int(order["count"])].tolist()
    if thread is None or outer is None or inner is None or int(other["inner"]) not in held:
        return None
    frames = trace.stacks[index][int(order["stack"])]
    return _Taking(thread, outer, inner, frames, int(order["first_ns"]), int(order["last_ns"]))


def _is_danger(sources: Sources, one: _Taking, other: _Taking) -> bool:
    return (
        one.thread is not other.thread
        and one.outer is other.inner
        and one.inner is other.outer
        and not one.outer.foreign_posts
        and not one.inner.foreign_posts
        and sources.takes_for_good(one.frames)
        and sources.takes_for_good(other.frames)
    )


def _finding(
    trace: Trace, sources: Sources, pairs: list[tuple[_Taking, _Taking]], ids: dict[tuple[int, int], int]
) -> Finding:
    one, other = pairs[0]
    cwd = trace.meta.cwd
    own = [own_frame(taking.frames) for taking in (one, other)]
    more = f", and {count(len(pairs) - 1, 'more pair')} of locks at the same lines" if len(pairs) > 1 else ""
    concerned = [ids[part] for lock in (one.outer, one.inner) for part in lock.parts if part in ids]
    return Finding(
        kind=FindingKind.LOCK_ORDER,
        severity=Severity.WARNING,
        sentence=(
            f"`{one.thread.name}` took the {one.inner.name(cwd)} while it had the {one.outer.name(cwd)}, and "
            f"`{other.thread.name}` took them in the opposite order{more}"
        ),
        evidence=[
            *(_told(sources, taking, cwd) for taking in (one, other)),
            "this time neither had to wait for the other; if each gets its first lock, both wait for ever",
        ],
        advice=(
            "take these locks in the same order everywhere; or take the second one with a timeout, and then "
            "release the first one, too"
        ),
        start_ns=min(taking.first_ns for pair in pairs for taking in pair),
        end_ns=max(taking.last_ns for pair in pairs for taking in pair),
        weight_ns=0,
        units=[one.thread.id, other.thread.id],
        locks=list(dict.fromkeys(concerned)),
        where=list(dict.fromkeys(frame.where for frame in own if frame is not None)),
    )


def _told(sources: Sources, taking: _Taking, cwd: str) -> str:
    names = sources.taken(taking.frames)
    taken = f"`{'`, `'.join(sorted(names))}`" if names else "a lock"
    hold = sources.hold(taking.frames, sources.born(taking.outer.made))
    held = f" inside `{hold.text}` at {short_path(hold.file, cwd)}:{hold.line}" if hold is not None else ""
    return f"`{taking.thread.name}` took {taken} at {place_of(taking.frames, cwd)}{held}"
