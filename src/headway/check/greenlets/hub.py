"""Hubs of ours for scenarios that use gevent, and what it means that nothing is left to run."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from headway.check.asynchronous.refusing import refuse
from headway.check.ending import Blocked, Ending
from headway.check.execution import Stop
from headway.check.greenlets.loop import GreenletLoop
from headway.check.greenlets.telling import is_scenario, place_of, tell
from headway.check.place import short
from headway.check.world import here, world

__all__ = ["put_doubles", "stuck"]


def put_doubles(put: Callable[[Any, str, Any], None]) -> None:
    """New hubs are ours, for units of an execution; does nothing where gevent has not been imported."""
    hub = sys.modules.get("gevent.hub")
    if hub is None:
        return
    real = hub.Hub

    def make() -> Any:
        me = here()
        if me is None:
            return real()
        if me.number != 0:
            refuse("gevent in a thread that is not the scenario's own")
        patched = sys.modules.get("gevent.monkey")
        if patched is not None and patched.saved:
            refuse("gevent.monkey, which has patched this process,")
        return _hub(real)

    put(_Default(real), "hub", make)


class _Default:
    """What makes the hub of a thread, as an attribute that can be put and put back."""

    def __init__(self, real: Any) -> None:
        self.__dict__["hub"] = real

    def __setattr__(self, name: str, value: Any) -> None:
        sys.modules["gevent._hub_local"].set_default_hub_class(value)


def _hub(real: Any) -> Any:
    import gevent.hub
    import greenlet

    execution = world.execution
    assert execution is not None

    class Hub(real):  # type: ignore[misc]  # gevent's own, whose type is not known here
        """A hub on our loop. An exception in a greenlet is for who asks the greenlet, and is not printed."""

        def handle_error(self, context: Any, type: Any, value: Any, tb: Any) -> None:  # noqa: A002 (gevent's name)
            if isinstance(value, Stop):
                return
            if context is None or issubclass(type, self.SYSTEM_ERROR):
                self.handle_system_error(type, value, tb)

    loop = GreenletLoop(greenlet.getcurrent, lambda thing: isinstance(thing, greenlet.greenlet))
    hub = Hub(loop=loop)
    state = execution.running.locals
    state[GreenletLoop] = loop

    before = greenlet.gettrace()
    if execution.watcher is not None:
        greenlet.settrace(lambda _, ends: tell(loop, hub, ends))

    def over() -> None:
        greenlet.settrace(before)
        gevent.hub.set_hub(None)
        loop.forget()
        # A hub that waits for ever holds the whole execution, which no collector can see: it is made to end.
        if hub and greenlet.getcurrent() is hub.parent:
            with suppress(Stop, greenlet.GreenletExit):
                hub.throw(greenlet.GreenletExit)

    execution.at_end.append(over)
    return hub


def stuck(error: BaseException) -> Ending | None:
    """If gevent says that an operation would block forever: a deadlock, or a wake-up that was lost."""
    exceptions = sys.modules.get("gevent.exceptions")
    execution = world.execution
    if exceptions is None or execution is None or not isinstance(error, exceptions.LoopExit):
        return None
    loop = execution.running.locals.get(GreenletLoop)
    if loop is None:
        return None
    waits = _waits()
    blocked = []
    found = set()
    for greenlet, unit in loop.greenlets():
        if greenlet.dead:
            continue
        kind, noun = waits.get(id(greenlet), ("join", "greenlets"))
        found.add((kind, noun))
        trace = error.__traceback__ if greenlet is loop.main else None
        blocked.append(
            Blocked(
                unit.name,
                f"{kind} {noun}{_place(greenlet, trace)}",
                "",
                unit.number,
                daemon=False,
                noun="greenlet",
            )
        )
    if not any(unit.name == "main greenlet" for _, unit in loop.greenlets()):
        kind, noun = waits.get(id(loop.main), ("join", "greenlets"))
        found.add((kind, noun))
        place = _place(loop.main, error.__traceback__)
        blocked.insert(0, Blocked("scenario", f"{kind} {noun}{place}", "", 0, daemon=False))
    lost = any(noun in _SIGNALS for _, noun in found) and all(kind != "acquire" for kind, _ in found)
    return Ending("lost-wakeup" if lost else "deadlock", blocked=tuple(blocked))


def _place(greenlet: Any, trace: Any) -> str:
    file, line = "", 0
    while trace is not None:
        code = trace.tb_frame.f_code
        if is_scenario(code.co_filename):
            file, line = code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    if not file:
        file, line = place_of(greenlet.gr_frame)
    return f" at {short(file)}:{line}" if file else ""


_SIGNALS = ("event", "result")


def _waits() -> dict[int, tuple[str, str]]:
    """Greenlets by identity, and what each waits for. What an execution makes is young: no collector has run in it."""
    from gevent import event, lock, queue

    nouns: tuple[tuple[type, str, str], ...] = (
        (lock.Semaphore, "acquire", "semaphore"),
        (lock.RLock, "acquire", "lock"),
        (event.Event, "wait", "event"),
        (event.AsyncResult, "wait", "result"),
        (queue.Queue, "wait", "queue"),
    )
    found: dict[int, tuple[str, str]] = {}
    queues = []
    for thing in gc.get_objects(0):
        for kind, verb, noun in nouns:
            if isinstance(thing, kind):
                for waiter in _linked(thing):
                    found[id(waiter)] = (verb, noun)
        if isinstance(thing, queue.Queue):
            queues.append(thing)
    for thing in queues:  # who joins a queue waits for an event that lies in it
        for part in gc.get_referents(thing):
            if isinstance(part, event.Event):
                found |= {id(waiter): ("wait", "queue") for waiter in _linked(part)}
    return found


def _linked(thing: Any) -> list[Any]:
    """The greenlets that stand in line at a primitive."""
    waiters = []
    for links in gc.get_referents(thing):
        for link in gc.get_referents(links):
            owner = getattr(link, "__self__", None)
            waiter = getattr(owner, "greenlet", owner)
            if hasattr(waiter, "gr_frame"):
                waiters.append(waiter)
            elif hasattr(getattr(link, "greenlet", None), "gr_frame"):
                waiters.append(link.greenlet)
    return waiters
