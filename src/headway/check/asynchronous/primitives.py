"""asyncio's locks, events, conditions and queues are its own; who takes and frees them is noted, for the report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from headway.check.place import Place
from headway.check.world import here, world

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["Primitive", "note", "place_of"]

_KEY = "_headway_place"


class Primitive(Place):
    """A lock or the like of asyncio: its name, where it was made, and which task has it."""

    __slots__ = ("_holder", "noun")

    def __init__(self, noun: str) -> None:
        super().__init__()
        self.noun = noun
        self._holder: Unit | None = None

    @property
    def held_by(self) -> object:
        """The task that has it."""
        return self._holder


def place_of(primitive: object) -> Primitive | None:
    """What is known of a lock or the like; None if nobody watched when it was made."""
    place = getattr(primitive, "__dict__", {}).get(_KEY)
    return place if isinstance(place, Primitive) else None


def _noting() -> tuple[Unit, Any] | None:
    """The task that runs, and who is to be told; None if nobody watches."""
    execution = world.execution
    if execution is None or execution.watcher is None:
        return None
    me = here()
    unit = me.inner_unit if me is not None else None
    return None if unit is None else (unit, execution.watcher)


def _making(kind: type, noun: str) -> Callable[..., None]:
    real = vars(kind)["__init__"]

    def initialize(self: Any, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        execution = world.execution
        if execution is not None and execution.watcher is not None and here() is not None:
            self.__dict__[_KEY] = Primitive(noun)

    return initialize


def _taking(kind: type) -> Callable[..., Any]:
    real = vars(kind)["acquire"]

    def acquire(self: Any) -> Any:
        return real(self) if _noting() is None else _noted(real, self)

    return acquire


async def _noted(real: Any, primitive: Any) -> Any:
    place = place_of(primitive)
    noting = _noting()
    if place is None or noting is None:
        return await real(primitive)
    unit, watcher = noting
    unit.kind, unit.owner = "acquire", place
    watcher.announced(unit)
    taken = await real(primitive)
    noting = _noting()
    if noting is not None:
        unit, watcher = noting
        place._holder = unit
        watcher.acquired(unit, place)
    return taken


def _noted_before(kind: type, name: str, verb: str) -> Callable[..., Any]:
    real = vars(kind)[name]

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        noting = _noting()
        place = place_of(self) if noting is not None else None
        if noting is not None and place is not None:
            unit, watcher = noting
            unit.kind, unit.owner = verb, place
            if verb == "release":
                place._holder = None
            watcher.announced(unit)
            watcher.released(unit, place)
        return real(self, *args, **kwargs)

    method.__name__ = name
    return method


_MADE: tuple[tuple[type, str], ...] = (
    (asyncio.Lock, "lock"),
    (asyncio.Semaphore, "semaphore"),
    (asyncio.Event, "event"),
    (asyncio.Condition, "condition"),
    (asyncio.Queue, "queue"),
    (asyncio.Barrier, "barrier"),
)
_DONE: tuple[tuple[type, str, str], ...] = (
    (asyncio.Lock, "release", "release"),
    (asyncio.Semaphore, "release", "release"),
    (asyncio.Event, "set", "set"),
    (asyncio.Event, "clear", "clear"),
    (asyncio.Condition, "notify", "notify"),
    (asyncio.Queue, "put_nowait", "put"),
    (asyncio.Queue, "get_nowait", "get"),
)


_REAL: dict[tuple[type, str], Any] = {
    (kind, name): vars(kind)[name]
    for kind, name in [
        *((kind, "__init__") for kind, _ in _MADE),
        *((kind, "acquire") for kind in (asyncio.Lock, asyncio.Semaphore)),
        *((kind, name) for kind, name, _ in _DONE),
    ]
}
_NOTING: dict[tuple[type, str], Any] = {
    **{(kind, "__init__"): _making(kind, noun) for kind, noun in _MADE},
    **{(kind, "acquire"): _taking(kind) for kind in (asyncio.Lock, asyncio.Semaphore)},
    **{(kind, name): _noted_before(kind, name, verb) for kind, name, verb in _DONE},
}


def note(execution: Execution) -> None:
    """Until the end of an execution that is watched, asyncio's methods tell what they do."""
    if asyncio.Lock.__init__ is not _REAL[asyncio.Lock, "__init__"]:
        return  # another loop of this execution has seen to it
    _put(_NOTING)
    execution.at_end.append(lambda: _put(_REAL))


def _put(methods: dict[tuple[type, str], Any]) -> None:
    for (kind, name), method in methods.items():
        setattr(kind, name, method)
