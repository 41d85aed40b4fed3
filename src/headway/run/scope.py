"""Calls that begin and end together."""

from __future__ import annotations

import functools
import threading
from asyncio import CancelledError as TaskCancelled
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from contextvars import copy_context
from types import CoroutineType, TracebackType
from typing import Any, Literal, ParamSpec, Self, TypeVar, get_args, overload

from headway.errors import Cancelled, UsageError
from headway.run.backends.contract import Backend, Setup
from headway.run.backends.executor import Submits
from headway.run.backends.open import check, open_backend
from headway.run.batch import Batch, Portion
from headway.run.cancellation import CURRENT, CancelToken
from headway.run.number import is_number, is_whole
from headway.run.options import is_coroutine_function
from headway.run.parking.choice import refuse_in_loop
from headway.run.rawlock import raw_lock
from headway.run.scoped.ending import Cause, Ending, Policy
from headway.run.scoped.job import Job
from headway.run.scoped.tasks import Tasks

__all__ = ["Scope", "scope"]

P = ParamSpec("P")
T = TypeVar("T")


def scope(
    on: str | Submits | Backend = "threads",
    *,
    deadline_s: float | None = None,
    policy: Policy = "all",
    workers: int | None = None,
) -> Scope:
    """Start calls that run at the same time, and do not go on before all have ended.

    ```python
    with headway.scope() as s:
        a = s.start(fetch, "a")
        b = s.start(fetch, "b")
    print(a.result(), b.result())
    ```

    In a task it is `async with`: coroutine functions become tasks of the same loop, plain functions run on the
    backend, and `await a` waits for either.

    The scope is cancelled by the first failure of a call (policy "all"), by its winner ("first"), by an error in
    its body, by its deadline, by `cancel()`, and with the scope around it. Then calls that have not begun are
    dropped; worker processes and tasks are stopped; calls on threads are asked to stop: what waits in a channel, a
    limit, a job or a scope of headway raises Cancelled there, and others can look at `headway.cancelled()`. The body
    is asked likewise, or cancelled if it is in a task. A map or pipeline that is read in the body, or in a call, ends
    with Cancelled, and its calls as those of the scope; they are not waited for. Leaving waits for calls of the scope
    even if they do not stop, except after Ctrl-C: KeyboardInterrupt leaves them behind.

    What leaving raises:

    - If calls failed, a group of what they raised, in the order in which they failed; with policy "gather" never,
      and with "first" only if there is no winner.
    - TimedOut if the deadline passed; in the group if there is one.
    - What the body raised; in the group if there is one, unless it is one of those failures.
    - Cancelled if it was cancelled with the scope around it.

    Args:
        on: What runs plain functions, as for `headway.map`; not "auto".
        deadline_s: After so many seconds the scope is cancelled, and leaving it raises TimedOut.
        policy: "all" needs all calls, "first" the first success, "gather" only that all end.
        workers: How many plain functions run at a time. None is all of them on threads and greenlets, so that they
            may wait for one another; elsewhere, what suits the backend.

    Raises:
        UsageError: An argument makes no sense, or `with` would block the event loop that runs in this thread.

    Source: trio's nurseries, and asyncio.TaskGroup.
    """
    return Scope(on, deadline_s, policy, workers)


class Scope:
    """Calls that begin and end together; made by `headway.scope`."""

    def __init__(
        self, on: str | Submits | Backend, deadline_s: float | None, policy: Policy, workers: int | None
    ) -> None:
        if policy not in get_args(Policy):
            raise UsageError(f"policy={policy!r}", hint="it is 'all', 'first' or 'gather'")
        if isinstance(on, str) and on in get_args(Policy):
            raise UsageError(f"on={on!r} is a policy, not a backend", hint=f"policy={on!r}")
        if on == "auto":
            raise UsageError(
                "on='auto': a scope does not choose its backend", hint="leave `on` out for threads"
            )
        check(on)
        if deadline_s is not None and (not is_number(deadline_s) or not deadline_s >= 0):
            raise UsageError(f"deadline_s={deadline_s!r}", hint="it is seconds from now on, or None")
        if workers is not None and (not is_whole(workers) or workers < 1):
            raise UsageError(f"workers={workers!r}", hint="it is 1 or more, or None")
        self._on = on
        self._workers = workers
        self._deadline_s = deadline_s
        self._ending = Ending(policy, deadline_s)
        self._lock = raw_lock()
        self._growing = threading.Lock()
        self._jobs: dict[Job[Any], Batch | None] = {}
        """Those that have not ended; tasks have no batch."""
        self._backend: Backend | None = None
        self._state: Literal["new", "open", "left"] = "new"
        self._token = CancelToken()
        self._outer: CancelToken | None = None
        self._tasks: Any = (
            None  # a Tasks, if entered with `async with`: without asyncio its module is not loaded
        )
        self._forget_deadline: Callable[[], object] = lambda: None

    @overload
    def start(
        self, fn: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Job[T]: ...
    @overload
    def start(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Job[T]: ...
    def start(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Job[Any]:
        """Start a call; in the body, or in a call of this scope.

        Returns:
            At once. If the scope is cancelled, the job is, too.

        Raises:
            UsageError: The scope is not open; or it is no function; or a coroutine function was started where no
                event loop of this scope runs.
        """
        if not callable(fn):
            raise _no_function(fn)
        if self._state != "open":
            raise UsageError(
                f"this scope is {self._state}: nothing can start in it", hint="start inside `with`"
            )
        job: Job[Any] = Job(getattr(fn, "__qualname__", None) or repr(fn))
        context = copy_context()
        context.run(CURRENT.set, self._token)
        coroutine = is_coroutine_function(fn)
        if coroutine and self._tasks is not None:
            if not self._tasks.here():
                raise UsageError(
                    f"{job.name} is a coroutine function, and this thread is not that of the scope's event loop",
                    hint="start it in a task of the scope",
                )
            if self._enter(job, None):
                self._tasks.start(job, fn, args, kwargs, context)
            return job
        backend = self._open()
        if coroutine and backend.name != "asyncio":
            raise UsageError(
                f"{job.name} is a coroutine function, which on={backend.name!r} cannot run",
                hint="async with headway.scope(), or headway.scope('asyncio')",
            )
        batch = Batch(
            fn,
            [args],
            lambda portion: self._deliver(job, portion),
            star=True,
            kwargs=kwargs,
            claim=job._claim,
        )
        if self._enter(job, batch):
            try:
                if self._workers is None and backend.local and backend is not self._on:
                    self._grow(backend)
                context.run(backend.submit, batch)
            except BaseException:
                self._drop(job, running=True)
                raise
        return job

    def cancel(self) -> None:
        """Cancel all calls, from any thread. Leaving raises nothing for it."""
        self._cancel("asked")

    @property
    def cancelled(self) -> bool:
        """Whether the scope was cancelled, for whatever cause."""
        return self._token.cancelled

    @property
    def winner(self) -> Job[Any]:
        """With policy "first", the first call that succeeded.

        Raises:
            UsageError: There is none.
        """
        if self._ending.winner is None:
            raise UsageError(f"the scope has no winner; its policy is {self._ending.policy!r}")
        return self._ending.winner

    def __repr__(self) -> str:
        state = f"{self._state}{' cancelled' * self.cancelled}"
        return f"<Scope {state} {len(self._jobs)}/{self._ending.started} calls under way at {id(self):#x}>"

    def __enter__(self) -> Self:
        refuse_in_loop("with headway.scope()", "async with headway.scope()")
        self._begin()
        if self._deadline_s is not None:
            timer = threading.Timer(self._deadline_s, self._cancel, ["deadline"])
            timer.daemon = True
            timer.start()
            self._forget_deadline = timer.cancel
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        try:
            CURRENT.set(self._outer)
            if isinstance(error, KeyboardInterrupt):
                self._abandon()
                return False
            if error is not None:
                self._cancel("body")
            while (job := self._unfinished()) is not None:
                job._wait_shielded()
            self._finish()
        except BaseException:
            self._abandon()
            raise
        return self._conclude(error, error)

    async def __aenter__(self) -> Self:
        self._tasks = Tasks(self._end, functools.partial(self._drop, running=True), self.cancel)
        self._begin()
        if self._deadline_s is not None:
            self._forget_deadline = self._tasks.call_later(self._deadline_s, lambda: self._cancel("deadline"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        CURRENT.set(self._outer)
        if error is not None and not isinstance(error, TaskCancelled):
            self._cancel("body")
        assert self._tasks is not None
        interrupted = await self._tasks.leave(self._unfinished, lambda: self._cancel("outside"))
        self._finish()
        body = error
        if interrupted and body is None:
            body = TaskCancelled()
        elif isinstance(body, TaskCancelled) and not interrupted and self._ending.cause is not None:
            body = None  # it was this scope that cancelled its body
        return self._conclude(body, error)

    def _begin(self) -> None:
        if self._state != "new":
            raise UsageError("a scope is entered once", hint="make a new one with headway.scope()")
        self._state = "open"
        self._outer = CURRENT.get()
        self._token = CancelToken(self._outer, self._on_cancel)
        CURRENT.set(self._token)

    def _open(self) -> Backend:
        with self._lock:
            if self._backend is not None:
                return self._backend
        # Opening may take a while, or fail; it needs no lock, since two that do it at once agree below.
        opened = open_backend(self._on, self._workers, Setup(name="headway-scope"))
        with self._lock:
            if self._backend is None:
                self._backend = opened
        if self._backend is not opened:
            opened.close(wait=False)
        return self._backend

    def _grow(self, backend: Backend) -> None:
        """Have as many workers as there are calls, so that these may wait for one another."""
        with self._growing:  # else one that saw fewer calls might come last, and shrink it
            if backend.workers < len(self._jobs):
                backend.resize(len(self._jobs))

    def _enter(self, job: Job[Any], batch: Batch | None) -> bool:
        """Make a job one of the scope's; False if that is cancelled, and so is the job."""
        with self._lock:
            self._jobs[job] = batch
            self._ending.started += 1
        # Subtle: looked at after it was entered; a cancellation after this look finds it among the jobs.
        if self._token.cancelled:
            self._drop(job)
            return False
        return True

    def _unfinished(self) -> Job[Any] | None:
        with self._lock:
            while self._jobs:
                job = next(iter(self._jobs))
                if not job.done():
                    return job
                del self._jobs[job]  # who ended it is about to
            return None

    def _deliver(self, job: Job[Any], portion: Portion) -> None:
        error = portion.errors.get(0)
        if isinstance(error, (CancelledError, TaskCancelled)) and self._token.cancelled:
            error = Cancelled(f"{job.name} was stopped")
        self._end(job, portion.values[0], error)

    def _end(self, job: Job[Any], value: Any, error: BaseException | None) -> None:
        """Take in how a call ended; once for each."""
        if job.done():
            return
        # Subtle: noted before the job ends, since who waits for the last job then asks what leaving raises; and the
        # job ends before the scope is cancelled, so that who waits for it gets its outcome and not the cancellation.
        cause = self._ending.note(job, error)
        job._end(value, error)
        if cause is not None:
            self._cancel(cause)
        self._remove(job)

    def _drop(self, job: Job[Any], *, running: bool = False, error: BaseException | None = None) -> None:
        """End a job that is of no account for what leaving raises."""
        error = error or Cancelled(f"{job.name} was cancelled")
        if job._end(None, error) if running else job._drop(error):
            self._remove(job)

    def _remove(self, job: Job[Any]) -> None:
        with self._lock:
            self._jobs.pop(job, None)

    def _cancel(self, cause: Cause) -> None:
        if self._ending.begin(cause):
            self._token.cancel()

    def _on_cancel(self) -> None:
        self._ending.begin("outside")  # unless it was this scope that cancelled its token
        with self._lock:
            jobs = list(self._jobs.items())
        running = [(job, batch) for job, batch in jobs if batch is not None]
        for job, batch in jobs:
            if batch is not None:
                self._drop(job)
        if self._tasks is not None:
            self._tasks.cancel()
        if self._backend is not None and self._backend.stops and running:
            # This may be the backend's own thread, in the middle of a delivery.
            threading.Thread(
                target=self._stop, args=(running,), name="headway-scope-stop", daemon=True
            ).start()

    def _stop(self, running: list[tuple[Job[Any], Batch]]) -> None:
        assert self._backend is not None
        for job, batch in running:
            if not job.done():
                self._backend.stop(batch, Cancelled(f"{job.name} was stopped"))

    def _abandon(self) -> None:
        """Leave at once, whatever still runs."""
        self._cancel("body")
        self._finish(abort=True)

    def _finish(self, *, abort: bool = False) -> None:
        self._state = "left"
        self._forget_deadline()
        self._token.detach()
        if self._backend is not None and self._backend is not self._on:
            # In a loop's thread nothing may wait; all calls have ended, and the workers are on their way.
            self._backend.close(wait=not abort and self._tasks is None, abort=abort)

    def _conclude(self, body: BaseException | None, raised: BaseException | None) -> bool:
        """Raise what leaving raises; or say whether what the body raised ends here."""
        error = self._ending.raises(body)
        if error is None:
            return True
        if error is raised:
            return False
        try:
            raise error from None
        finally:
            del error, body, raised  # no cycle of the errors, their tracebacks and this frame


def _no_function(thing: object) -> UsageError:
    if not isinstance(thing, CoroutineType):
        return UsageError(f"{thing!r} is not a function", hint="start(function, argument)")
    if thing.cr_await is None and not thing.cr_running:
        thing.close()  # else Python complains that nobody awaited it
    return UsageError(
        f"{thing.__qualname__}(...) is a coroutine, not a function", hint=f"start({thing.__name__}, ...)"
    )
