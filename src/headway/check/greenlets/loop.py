"""The loop of a hub: who of the ready greenlets goes next is chosen, time is virtual, and there is no real I/O."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from headway.check.asynchronous.ready import take
from headway.check.asynchronous.refusing import refuse
from headway.check.asynchronous.units import CALLBACK, STEP, YIELD, LoopUnit
from headway.check.bounds import SPIN
from headway.check.doubles.clock import EPOCH_NS
from headway.check.execution import Stop
from headway.check.greenlets.telling import begins
from headway.check.greenlets.watchers import Callback, Watcher
from headway.check.turns import tally
from headway.check.unit import Asks
from headway.check.world import here, world

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.unit import Unit

__all__ = ["GreenletLoop"]

SPINS = 20
"""Turns of each greenlet that does nothing but give way, before time goes on."""


class GreenletLoop:
    """Runs in a hub, on the thread of one unit; the greenlets of this hub are units that share the thread.

    A greenlet is switched only where it waits, as with gevent. Callbacks that are no switches keep their order, and no
    greenlet that became ready after one overtakes it. `gevent.sleep(0)` lets those go first that the greenlet has
    started or woken. Source: gevent's `ILoop`; differs: what is ready, and timers of one moment, come in any order.
    """

    default = True
    approx_timer_resolution = 0.0
    starting_timer_may_update_loop_time = False

    def __init__(self, getcurrent: Callable[[], Any], is_greenlet: Callable[[object], bool]) -> None:
        execution = world.execution
        assert execution is not None
        self.error_handler: Any = None
        self.execution: Execution = execution
        self.carrier: Unit = execution.running
        self._getcurrent = getcurrent
        self._is_greenlet = is_greenlet
        self.main = getcurrent()
        self.begun: dict[int, tuple[str, int]] = {}
        """By the number of the unit: where the function of its greenlet begins, if somebody watches."""
        self._turns: list[Any] = []
        self._timers: list[tuple[int, int, Callback, bool]] = []
        self._idle: list[Callback] = []
        self._count = 0
        self._units: dict[int, tuple[Any, LoopUnit]] = {}
        """Of greenlets, which are kept until the end, so that none takes the identity of another."""
        self._callbacks: LoopUnit | None = None
        self._timer_units: list[LoopUnit] = []
        self._woken = False
        self._spins = 0
        self._given = 0
        self._last: Unit = execution.running

    @property
    def described(self) -> str:
        """As people know it."""
        return "hub"

    # ---- what gevent calls ----

    def run_callback(self, func: Callable[..., object], *args: Any) -> Callback:
        """Call it soon."""
        callback = Callback(func, args)
        current = self._getcurrent()
        callback.by = self._units[id(current)][1] if id(current) in self._units else None
        target = self._target(func)
        if target is None:
            callback.way, callback.unit = CALLBACK, self._callback_unit()
        else:
            unit = self._unit_of(target)
            callback.way = YIELD if target is current else STEP
            callback.unit = unit
        self._turns.append(callback)
        return callback

    def run_callback_threadsafe(self, func: Callable[..., object], *args: Any) -> Callback:
        """The same, from another thread."""
        me = here()
        if me is not None and len(self.execution.live) > 1:
            self.execution.sync(me, "run_callback_threadsafe", self)
        callback = self.run_callback(func, *args)
        self._woken = True
        return callback

    def timer(self, after: float, repeat: float = 0.0, ref: bool = True, priority: object = None) -> Watcher:
        """Waits for a time."""
        return Watcher(self, after, repeat, ref=ref)

    def idle(self, ref: bool = True, priority: object = None) -> Watcher:
        """Waits until nothing else is ready."""
        return Watcher(self, None, 0.0, ref=ref)

    def later(self, due: Callback, after_s: float | None, *, ref: bool) -> None:
        """Call it after a time; None: when nothing is ready."""
        if after_s is None:
            self._idle.append(due)
            return
        self._count += 1
        when = self.execution.now_ns + max(0, round(after_s * 1e9))
        heapq.heappush(self._timers, (when, self._count, due, ref))

    def now(self) -> float:
        """In virtual seconds, as `time.time`."""
        return (self.execution.now_ns + EPOCH_NS) / 1e9

    def update_now(self) -> None:
        """It is always up to date."""

    update = update_now

    def handle_error(self, context: object, kind: Any, value: Any, trace: Any) -> None:
        """As the hub does."""
        if self.error_handler is not None:
            self.error_handler.handle_error(context, kind, value, trace)

    def destroy(self) -> None:
        """Nothing is left."""
        self._turns.clear()
        self._timers.clear()

    def reinit(self) -> None:
        """There is nothing that a fork would break."""

    def _format(self) -> str:
        return "under check"

    def __getattr__(self, name: str) -> NoReturn:
        if name in ("io", "async_", "signal", "child", "fork", "stat", "prepare", "check", "install_sigchld"):
            refuse(f"gevent's loop.{name}")
        raise AttributeError(name)

    # ---- the run ----

    def run(self, nowait: bool = False, once: bool = False) -> None:
        """Until nothing is left to run; then gevent tells the main greenlet that it would wait for ever."""
        execution, me = self.execution, self.carrier
        if world.execution is not execution:
            raise RuntimeError("this hub was made under check, in an execution that is over")
        while True:
            spins = self._spins > SPINS * (len(self._turns) + 1)
            if execution.stopping:
                raise Stop
            if len(execution.live) > 1:
                if spins:
                    me.deadline_ns = self._next_time()
                    execution.give_way(me)
                elif self._turns:
                    execution.sync(me, "turn", self)
            elif spins and (due := self._next_time()) is not None:
                execution.now_ns = max(execution.now_ns, due)
            if spins:
                self._spins = 0
                self._ring()
            if not self._turns and not self._wait():
                return
            turn = take(self._turns, execution, self._last) if self._turns else None
            if turn is not None:
                self._give(turn)

    def _give(self, turn: Any) -> None:
        unit = turn.unit
        self._spins = self._spins + 1 if turn.way == YIELD else 0
        self._given += 1
        if self._given % SPIN == 0:
            tally(self.execution, self.carrier)
        self._last = unit
        callback, args = turn.callback, turn.args
        turn.callback = None
        try:
            callback(*args)
        except BaseException as error:
            if isinstance(error, Stop):
                raise
            self.handle_error(turn, type(error), error, error.__traceback__)
        finally:
            turn.args = None
            unit.steps += 1

    def _next_time(self) -> int | None:
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        return timers[0][0] if timers else None

    def _wait(self) -> bool:
        """Nothing is ready. Until a timer is due, or another thread calls; False: nothing will come."""
        execution, me = self.execution, self.carrier
        idle = [callback for callback in self._idle if not callback._cancelled]
        self._idle.clear()
        if idle:
            for callback in idle:
                callback.unit = self._timer_unit()
                self._turns.append(callback)
            return True
        due = self._next_time()
        counts = any(ref and not callback._cancelled for _, _, callback, ref in self._timers)
        if due is None or not counts:
            if len(execution.live) == 1:
                return False
            if not self._woken:
                execution.sync(me, "wait", self, Asks(lambda _: self._woken, me), due)
        elif len(execution.live) == 1:
            execution.now_ns = max(execution.now_ns, due)
        elif due > execution.now_ns and not self._woken:
            execution.sync(me, "wait", self, Asks(lambda _: self._woken, me), due)
        self._woken = False
        self._ring()
        return True

    def _ring(self) -> None:
        timers = self._timers
        while timers and timers[0][0] <= self.execution.now_ns:
            callback = heapq.heappop(timers)[2]
            if not callback._cancelled:
                callback.unit = self._timer_unit()
                self._turns.append(callback)

    # ---- units ----

    def _target(self, func: Any) -> Any:
        """The greenlet that a callback switches to; None if it does something else."""
        owner = getattr(func, "__self__", None)
        if getattr(func, "__name__", "") not in ("switch", "throw"):
            return None
        if self._is_greenlet(owner):
            return owner
        if hasattr(owner, "greenlet"):  # a Waiter: of who waits in it, or is about to
            waiting = owner.greenlet  # type: ignore[union-attr]  # it has one
            return self._getcurrent() if waiting is None else waiting
        return None

    def _unit_of(self, greenlet: Any) -> LoopUnit:
        known = self._units.get(id(greenlet))
        if known is not None:
            return known[1]
        current = self._units.get(id(self._getcurrent()))
        name = "main greenlet" if greenlet is self.main else str(getattr(greenlet, "name", "greenlet"))
        unit = self._add(name, current[1] if current is not None else None)
        self._units[id(greenlet)] = (greenlet, unit)
        if self.execution.watcher is not None:
            self.begun[unit.number] = begins(greenlet)
        return unit

    def _callback_unit(self) -> LoopUnit:
        if self._callbacks is None:
            self._callbacks = self._add("callbacks", None)
        return self._callbacks

    def _timer_unit(self) -> LoopUnit:
        taken = {turn.unit.number for turn in self._turns}
        for unit in self._timer_units:
            if unit.number not in taken:
                return unit
        unit = self._add(f"timer {len(self._timer_units) + 1}", None)
        self._timer_units.append(unit)
        return unit

    def _add(self, name: str, parent: LoopUnit | None) -> LoopUnit:
        execution = self.execution
        unit = LoopUnit(len(execution.units), name, None, parent)
        unit.limit = SPIN
        execution.units.append(unit)
        if execution.watcher is not None:
            execution.watcher.started(execution.running, unit)
        return unit

    def greenlets(self) -> list[tuple[Any, LoopUnit]]:
        """Those that were ready once, and their units."""
        return list(self._units.values())

    def known(self, greenlet: Any) -> LoopUnit | None:
        """The unit of a greenlet that is no hub."""
        known = self._units.get(id(greenlet))
        return None if known is None else known[1]

    def forget(self) -> None:
        """The execution is over."""
        self._units.clear()
        self.destroy()
