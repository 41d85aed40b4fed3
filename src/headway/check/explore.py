"""`explore` and `replay`: the two things that people call."""

from __future__ import annotations

import _thread
import contextvars
import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from headway.check.builds import Build, build_of, can_be_judged, judged, with_the_gil
from headway.check.doubled import doubled
from headway.check.hook import hook
from headway.check.opcodes import instructions, plain
from headway.check.options import Options, check_scenario
from headway.check.place import outside, short
from headway.check.races.detector import Detector
from headway.check.recorder import Recorder
from headway.check.report import failure, nondeterminism
from headway.check.rewriting import Rewritten, rewritten
from headway.check.search import Found, Search
from headway.check.shrink import beginning, shrink
from headway.check.silence import silence
from headway.check.stillness import Stillness, stillness
from headway.check.token import Schedule, decode, encode
from headway.check.verdict import Verdict
from headway.check.visitor import Visitor
from headway.check.watcher import Watchers
from headway.check.world import here, world
from headway.errors import CannotControl, ScheduleFailure, UsageError

if TYPE_CHECKING:
    from headway.check.execution import Execution
    from headway.check.races.race import Race

__all__ = ["explore", "replay"]

# Taken before anything is doubled.
_now = time.monotonic
_allocate_lock = _thread.allocate_lock
_start_new_thread = _thread.start_new_thread
_get_ident = _thread.get_ident

STUCK_S = 5.0
"""A unit that comes to no point for so long does something that is not under control."""
LIVELOCK_STEPS = 12_500
"""Of a schedule that does not end, what is run while it is made smaller: turns are fair from `FREE_STEPS` on."""
LIVELOCK_SECONDS = 0.75
"""For making it smaller: it is run to its end once more, too."""

T = TypeVar("T")
Deviations = dict[tuple[int, int], int]
_exploring = _allocate_lock()


def explore(
    scenario: Callable[[], Any],
    *,
    schedules: int = 1000,
    seconds: float | None = 10.0,
    strategy: str = "auto",
    seed: int = 0,
    granularity: str = "access",
    carrier: str = "threads",
    clock: str = "virtual",
    also: Sequence[str] = (),
) -> Verdict:
    """Run a scenario under many schedules, and look for one under which it fails.

    A scenario is a function without arguments that makes its threads, joins them, and asserts. It must do the same
    each time when its threads take turns in the same way.

    Args:
        scenario: Called once for each schedule.
        schedules: How many at most.
        seconds: Wall-clock time at most; None for no limit.
        strategy: `auto`, or one of `walk`, `pct`, `pos`, `focus`, `bounded`, `dpor`.
        seed: Of the random choices; the same seed and code search the same schedules.
        granularity: Where threads can switch: at `sync` (locks, threads, queues, sleeps), also at each `access` to
            what they share, at each `line`, or at each `opcode`.
        carrier: `threads`, or `greenlets`, which is faster and gives C extensions one thread.
        clock: `virtual`: time stands still while anything can run, and jumps when nothing can.
        also: Modules or packages outside the program whose shared accesses are points, too.
    Returns:
        How many schedules were run, and whether these were all.
    Raises:
        ScheduleFailure: One failed: an exception, a deadlock, a lost wake-up, or no end. It has a token.
        CannotControl: The scenario waits for something real.
        UsageError: Wrong arguments, or a scenario that explores itself.
    """
    __tracebackhide__ = True  # pytest shows the scenario's lines and the report, not these
    options = Options(schedules, seconds, strategy, seed, granularity, carrier, clock, also)
    started = _now()
    with _prepared(scenario, options) as (search, code):
        found = search(lambda inner: inner.look())
        if found is not None:
            raise search(lambda inner: _failed(inner, found, options, code.fingerprint))
        inner = search.inner
        seen = inner.lookout.races(exhausted=inner.exhausted)
        races = tuple(f"race: {race}" for race in search(lambda inner: judged(inner, seen, options)))
    return Verdict(
        inner.schedules,
        inner.exhausted,
        _now() - started,
        granularity,
        seed,
        races=races,
        notes=(*filter(None, [inner.note]), *code.unreachable),
        reduced=bool(inner.note),
    )


def replay(
    scenario: Callable[[], Any], token: str, *, carrier: str = "threads", also: Sequence[str] = ()
) -> None:
    """Run a scenario under the schedule of a token.

    Args:
        scenario: That of `explore`.
        token: From a `ScheduleFailure`.
        carrier: As for `explore`.
        also: As for `explore`.
    Raises:
        ScheduleFailure: It fails, as it did.
        ReplayDiverged: The program does not follow the schedule; likely it has changed.
        UsageError: The token is none.
    """
    __tracebackhide__ = True
    schedule = decode(token)
    options = Options(1, None, "auto", 0, schedule.granularity, carrier, "virtual", also)
    with _prepared(scenario, options) as (search, code):

        def run(inner: Search) -> ScheduleFailure | Exception | None:
            inner.releases = (
                True  # as it may have been in the search; if it was not, that makes no difference
            )
            # The first execution in a process imports and caches what later ones find there, and so takes other steps.
            with silence():
                inner.first()
            recorder, detector = Recorder(), Detector()
            ending, execution, followed = inner.again(schedule.deviations, Watchers(recorder, detector))
            diverged = followed.error(schedule.fingerprint, code.fingerprint)
            if diverged is not None:
                return diverged
            if ending.failed:
                now = Schedule(schedule.granularity, execution.deviations, code.fingerprint)
                build = None
                if can_be_judged(execution, options):
                    with silence():  # it runs again, and has been heard
                        build = build_of(inner, schedule.deviations, ending)
                race = _heart(detector, execution, build, options)
                return failure(ending, recorder, encode(now), 0, options, race, build)
            return None

        error = search(run)
        if error is not None:
            raise error


class _Driver:
    """Runs parts of a search in a thread of its own, and watches over it from the caller's."""

    def __init__(self, inner: Search) -> None:
        self.inner = inner

    def __call__(self, part: Callable[[Search], T]) -> T:
        done = _allocate_lock()
        done.acquire()
        result: list[T] = []
        error: list[BaseException] = []
        context = contextvars.copy_context()
        ident = [0]

        def run() -> None:
            active: Any = threading._active  # type: ignore[attr-defined]
            ident[0] = _get_ident()
            active[ident[0]] = threading._main_thread  # type: ignore[attr-defined]
            trace = threading.gettrace()
            if trace is not None:
                sys.settrace(trace)
            try:
                result.append(context.run(part, self.inner))
            except BaseException as raised:
                error.append(raised)
            finally:
                self.inner.close()
                active.pop(ident[0], None)
                done.release()

        _start_new_thread(run, ())
        try:
            self._watch(done)
        except BaseException:
            self._stop(done)
            threading._active.pop(ident[0], None)  # type: ignore[attr-defined]
            raise
        if error:
            raise error[0]
        return result[0]

    def _watch(self, done: Any) -> None:
        progress: tuple[object, int] = (None, 0)
        since = _now()
        still: Stillness | None = None
        while not done.acquire(timeout=0.25):
            execution = self.inner.execution
            now = (execution, sum(unit.steps for unit in list(execution.units)) if execution else 0)
            if now != progress:
                progress, since, still = now, _now(), None
            elif execution is not None:
                if _now() - since > STUCK_S:
                    raise self._uncontrolled()
                before, still = still, stillness()
                if still is not None and still == before:
                    raise self._uncontrolled(for_ever=True)

    def _uncontrolled(self, *, for_ever: bool = False) -> CannotControl:
        execution = self.inner.execution
        assert execution is not None
        frame = sys._current_frames().get(execution.ident)
        place = outside(frame) or frame
        where = (
            f"{short(place.f_code.co_filename)}:{place.f_lineno}" if place is not None else "an unknown place"
        )
        if for_ever:
            return CannotControl(
                f"{execution.running.name} waits for ever at {where}, for something real: "
                "each thread of this process waits for another",
                hint="a lock that is not under control, since it was held when the search began, or made in C? "
                "make it in the scenario, or give the scenario a stand-in",
            )
        return CannotControl(
            f"{execution.running.name} has been at {where} for {STUCK_S:.0f} s without coming to a point",
            hint="real sockets, files, subprocesses and C code that blocks are not under control: "
            "give the scenario a stand-in",
        )

    def _stop(self, done: Any) -> None:
        """The caller was interrupted, or the search hangs: end it, or leave it behind."""
        execution = self.inner.execution
        if execution is not None:
            execution.stop()
        if done.acquire(timeout=1.0):
            return
        world.execution = None


def _controlled(scenario: Callable[[], Any], options: Options) -> AbstractContextManager[Rewritten]:
    """The scenario's own code, with points where the granularity wants them."""
    if options.granularity == "sync":
        return plain(scenario, options.also)
    if options.granularity == "opcode":
        return instructions(scenario, options.also)
    granularity: Literal["access", "line"] = "line" if options.granularity == "line" else "access"
    return rewritten(scenario, granularity=granularity, also=options.also)


@contextmanager
def _prepared(scenario: Callable[[], Any], options: Options) -> Iterator[tuple[_Driver, Rewritten]]:
    """Everything is under control; and afterwards as it was."""
    checked = check_scenario(scenario)
    if here() is not None:
        raise UsageError("a scenario cannot explore: it is being explored itself")
    if not _exploring.acquire(blocking=False):
        raise UsageError(
            "another thread explores at this moment", hint="one exploration at a time in a process"
        )
    collects = gc.isenabled()
    try:
        visitor = Visitor()
        with _controlled(checked, options) as code, doubled(checked) as keep_real:
            code.unreachable.extend(keep_real)
            search = Search(checked, options, visitor)
            gc.disable()
            hook.begin(visitor.visit, code.sites)
            try:
                yield _Driver(search), code
            finally:
                hook.end()
                search.close()
    finally:
        if collects:
            gc.enable()
        _exploring.release()


def _failed(search: Search, found: Found, options: Options, fingerprint: str) -> ScheduleFailure:
    """Run it again, make it smaller, and say what happens."""
    most_steps = search.most_steps
    if found.ending.kind == "livelock":  # the beginning of what does not end will do
        search.most_steps = min(most_steps, LIVELOCK_STEPS)
    ending, execution, followed = search.again(found.deviations)
    if ending.signature != found.ending.signature and search.most_steps < most_steps:
        search.most_steps = most_steps
        ending, execution, followed = search.again(found.deviations)
    if followed.diverged or ending.signature != found.ending.signature:
        return nondeterminism(found, f"again: {followed.diverged or ending.sentence}")
    smallest = _smallest(search, found, execution.deviations, most_steps)
    if not smallest and found.number > 1:  # as the first one, which did not fail
        return nondeterminism(found, "first, before all others: ok")
    build = None
    if can_be_judged(execution, options):
        smallest, build = with_the_gil(search, smallest, found.ending, options.seed)
    recorder, detector = Recorder(), Detector()
    ending, execution, _ = search.again(smallest, Watchers(recorder, detector))
    if ending.signature != found.ending.signature:
        return nondeterminism(found, f"again: {ending.sentence}")
    token = encode(Schedule(options.granularity, execution.deviations, fingerprint))
    race = _heart(detector, execution, build, options)
    if ending.kind == "livelock":
        ending = replace(ending, steps=most_steps)  # it was seen to go on
    return failure(ending, recorder, token, found.number, options, race, build)


def _smallest(search: Search, found: Found, deviations: Deviations, most_steps: int) -> Deviations:
    """The smallest that still fails in the same way. What does not end is run to its end only once more."""

    def fails(deviations: Deviations) -> Deviations | None:
        ending, execution, _ = search.again(deviations, strict=False)
        return execution.deviations if ending.signature == found.ending.signature else None

    if search.most_steps == most_steps:
        return shrink(deviations, fails)
    smallest = shrink(beginning(deviations, fails), fails, LIVELOCK_SECONDS)
    if smallest != deviations:
        soon, search.most_steps = search.most_steps, most_steps
        ending, _, _ = search.again(smallest)
        search.most_steps = soon
        if ending.signature != found.ending.signature:
            return deviations
    return smallest


def _heart(detector: Detector, execution: Execution, build: Build | None, options: Options) -> Race | None:
    """The race that made a failing schedule fail; it is known only where points are accesses."""
    detector.finish(execution.running)
    race = detector.heart if options.granularity == "access" else None
    if race is None or build is None or race.section is None:
        return race
    return replace(race, gil=build.handed.get(race.section))
