"""What tasks wait for when nothing can wake them: which primitive, since which line, and who holds it."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from headway.check.ending import Blocked
from headway.check.place import is_program, short

if TYPE_CHECKING:
    from headway.check.asynchronous.units import LoopUnit

__all__ = ["Waiting", "lost", "waiting_tasks"]


@dataclass(frozen=True)
class Waiting:
    """A task that nothing will wake."""

    unit: LoopUnit
    kind: str
    """`acquire`, `wait` or `join`."""
    what: str
    """Such as `lock at bank.py:14`."""
    holder: LoopUnit | None
    """Who has what it waits for."""
    free: bool
    """Nobody has it, and still nobody wakes the task."""

    @property
    def blocked(self) -> Blocked:
        """As an ending tells it."""
        holder = self.holder.name if self.holder is not None else ""
        return Blocked(self.unit.name, f"{self.kind} {self.what}", holder, self.unit.number, False)


def lost(waits: list[Waiting]) -> bool:
    """Is there a task that waits for a signal, or for a lock that nobody has?"""
    return any(wait.kind == "wait" or wait.free for wait in waits) and not any(
        wait.kind == "acquire" and not wait.free for wait in waits
    )


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
    left = [unit for unit in units if not unit.task.done()]
    chains = {unit: _chain(unit.task) for unit in left}
    return [_waiting(unit, chains) for unit in left]


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
    place = ""
    for coroutine in reversed(chain):
        frame = coroutine.cr_frame
        if frame is not None and is_program(frame.f_code.co_filename):
            place = f" at {short(frame.f_code.co_filename)}:{frame.f_lineno}"
            break
    primitive = _primitive(chain)
    for kind, verb, noun in _NOUNS:
        if isinstance(primitive, kind):
            holder = _holder(primitive, unit, chains) if verb == "acquire" else None
            free = isinstance(primitive, asyncio.Lock) and not primitive.locked()
            return Waiting(unit, verb, noun + place, holder, free)
    awaited = getattr(unit.task, "_fut_waiter", None)
    for other in chains:
        if other.task is awaited:
            return Waiting(unit, "join", other.described + place, other, free=False)
    if type(awaited).__name__ == "_GatheringFuture":
        return Waiting(unit, "join", "gather" + place, None, free=False)
    if chain and chain[-1].cr_frame is not None and _is_join(chain):
        return Waiting(unit, "join", "tasks" + place, None, free=False)
    noun = "future" if awaited is not None else "nothing"
    return Waiting(unit, "wait", noun + place, None, free=True)


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


def _is_join(chain: list[Any]) -> bool:
    """In `TaskGroup.__aexit__`, `asyncio.wait` or the like."""
    for coroutine in reversed(chain):
        if is_program(coroutine.cr_code.co_filename):
            return False
        if coroutine.cr_code.co_name in ("__aexit__", "_wait", "wait", "_wait_for_one", "_aexit"):
            return True
    return False


def _holder(primitive: Any, waiter: LoopUnit, chains: dict[LoopUnit, list[Any]]) -> LoopUnit | None:
    """The task that is inside `async with primitive`: what leaves the block lies on its frame's stack."""
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
