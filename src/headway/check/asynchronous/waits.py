"""What tasks wait for when nothing can wake them: which primitive, since which line, and who holds it."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from headway.check.asynchronous.primitives import place_of
from headway.check.ending import Blocked, describe
from headway.check.place import is_program, short

if TYPE_CHECKING:
    from headway.check.asynchronous.units import LoopUnit

__all__ = ["Waiting", "lost", "waiting_tasks", "waits_now"]


@dataclass(frozen=True)
class Waiting:
    """A task that has given way, or that nothing will wake."""

    unit: LoopUnit
    kind: str
    """`acquire`, `wait`, `join`, `sleep` or `yield`."""
    thing: object
    """The primitive's place, the unit that is waited for, or other words; None for `sleep` and `yield`."""
    file: str
    line: int
    holder: LoopUnit | None = None
    """Who has what it waits for."""
    free: bool = False
    """Nobody has it, and still nobody wakes the task."""

    @property
    def blocked(self) -> Blocked:
        """As an ending tells it."""
        holder = self.holder.name if self.holder is not None else ""
        what = self.kind if self.thing is None else f"{self.kind} {describe(self.thing)}"
        place = f" at {short(self.file)}:{self.line}" if self.file else ""
        return Blocked(self.unit.name, what + place, holder, self.unit.number, daemon=False, noun="task")


class _Words:
    """What is waited for, where nothing is known of it but its kind."""

    def __init__(self, words: str) -> None:
        self.described = words


def lost(units: list[LoopUnit]) -> bool:
    """Does a task wait for a signal or for a lock that nobody has, and none for a lock that another has?"""
    chains = _chains(units)
    waits = [_waiting(unit, chains) for unit in chains]
    if any(wait.kind == "acquire" and not wait.free for wait in waits):
        return False
    return any(wait.free or _is_signal(chains[wait.unit]) for wait in waits)


_NOUNS: tuple[tuple[type, str, str], ...] = (
    (asyncio.Lock, "acquire", "lock"),
    (asyncio.Semaphore, "acquire", "semaphore"),
    (asyncio.Event, "wait", "event"),
    (asyncio.Condition, "wait", "condition"),
    (asyncio.Queue, "wait", "queue"),
    (asyncio.Barrier, "wait", "barrier"),
)


def waiting_tasks(units: list[LoopUnit]) -> list[Waiting]:
    """Those of the tasks that are not done."""
    chains = _chains(units)
    return [_waiting(unit, chains) for unit in chains]


def waits_now(unit: LoopUnit, units: list[LoopUnit]) -> Waiting:
    """What a task has given way for."""
    chains: dict[LoopUnit, list[Any]] = {other: [] for other in units if not other.task.done()}
    chains[unit] = _chain(unit.task)
    return _waiting(unit, chains)


def _chains(units: list[LoopUnit]) -> dict[LoopUnit, list[Any]]:
    return {unit: _chain(unit.task) for unit in units if not unit.task.done()}


def _chain(task: Any) -> list[Any]:
    """The coroutines of a task, from the outermost to the one that is suspended."""
    chain = []
    inner = task.get_coro()
    while isinstance(inner, CoroutineType) and inner not in chain:
        chain.append(inner)
        inner = inner.cr_await
    return chain


def _waiting(unit: LoopUnit, chains: dict[LoopUnit, list[Any]]) -> Waiting:
    chain = chains[unit]
    file, line = "", 0
    for coroutine in reversed(chain):
        frame = coroutine.cr_frame
        if frame is not None and is_program(frame.f_code.co_filename):
            file, line = frame.f_code.co_filename, frame.f_lineno
            break
    primitive = _primitive(chain)
    for kind, verb, noun in _NOUNS:
        if isinstance(primitive, kind):
            thing = place_of(primitive) or _Words(noun)
            holder = _holder(primitive, unit, chains, thing) if verb == "acquire" else None
            free = isinstance(primitive, asyncio.Lock) and not primitive.locked()
            return Waiting(unit, verb, thing, file, line, holder, free)
    awaited = getattr(unit.task, "_fut_waiter", None)
    for other in chains:
        if other.task is awaited:
            return Waiting(unit, "join", other, file, line, other)
    if type(awaited).__name__ == "_GatheringFuture":
        return Waiting(unit, "join", _Words("gather"), file, line)
    inner = _library_call(chain)
    if inner in _JOINS:
        return Waiting(unit, "join", _Words("tasks"), file, line)
    if awaited is None:
        return Waiting(unit, "yield", None, file, line)
    if inner == "sleep":
        return Waiting(unit, "sleep", None, file, line)
    return Waiting(unit, "wait", _Words("future"), file, line, free=True)


def _primitive(chain: list[Any]) -> Any:
    """The lock or the like whose method is suspended. A condition that takes its lock again waits for the lock."""
    for coroutine in reversed(chain):
        frame = coroutine.cr_frame
        if frame is None:
            continue
        owner = frame.f_locals.get("self")
        if isinstance(owner, tuple(kind for kind, _, _ in _NOUNS)):
            return owner
        if is_program(frame.f_code.co_filename):
            return None
    return None


def _is_signal(chain: list[Any]) -> bool:
    """Is it an event or a condition that is waited for, and not one inside of a queue or barrier?"""
    found = False
    for coroutine in reversed(chain):
        frame = coroutine.cr_frame
        if frame is None:
            continue
        owner = frame.f_locals.get("self")
        if isinstance(owner, (asyncio.Queue, asyncio.Barrier)):
            return False
        found |= isinstance(owner, (asyncio.Event, asyncio.Condition))
        if is_program(frame.f_code.co_filename):
            break
    return found


_JOINS = ("__aexit__", "_aexit", "_wait", "wait", "_wait_for_one")
"""Of `TaskGroup`, `asyncio.wait` and `as_completed`."""


def _library_call(chain: list[Any]) -> str:
    """What of asyncio the program has called, if it waits in there."""
    name = ""
    for coroutine in reversed(chain):
        if is_program(coroutine.cr_code.co_filename):
            break
        name = coroutine.cr_code.co_name
    return name


def _holder(
    primitive: Any, waiter: LoopUnit, chains: dict[LoopUnit, list[Any]], thing: object
) -> LoopUnit | None:
    """The task that has it.

    If nobody watched, that is seen only of one that is inside `async with primitive`: what leaves the block lies on its
    frame's stack.
    """
    noted = getattr(thing, "held_by", None)
    if noted is not None:
        return noted  # type: ignore[no-any-return]
    for unit, chain in chains.items():
        for place, coroutine in enumerate(chain):
            inner = chain[place + 1] if place + 1 < len(chain) else None
            if inner is not None and _enters(inner, primitive):
                break
            if _inside(coroutine, primitive):
                return unit
    return None


def _enters(coroutine: Any, primitive: Any) -> bool:
    frame = coroutine.cr_frame
    return (
        coroutine.cr_code.co_name == "__aenter__"
        and frame is not None
        and frame.f_locals.get("self") is primitive
    )


def _inside(coroutine: Any, primitive: Any) -> bool:
    before: Any = None
    for referent in gc.get_referents(coroutine):
        name = getattr(referent, "__name__", None)
        if name == "__aexit__" and getattr(referent, "__self__", None) is primitive:
            return True
        if referent is primitive and getattr(before, "__name__", None) == "__aexit__":
            return True  # from Python 3.14 on the method and its object lie apart
        before = referent
    return False
