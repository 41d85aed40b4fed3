"""`Executor`: the interface of concurrent.futures over any backend."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Self, TypeVar

from headway import seam
from headway.errors import UsageError
from headway.run.auto import Auto
from headway.run.backends.contract import Backend
from headway.run.backends.lent import Lent
from headway.run.batch import NO_KWARGS, Batch, Portion
from headway.run.choice import Choice, Fixed
from headway.run.coroutines import Begun, finish
from headway.run.future import Future
from headway.run.identity import name_of, same_work
from headway.run.loans import Loans
from headway.run.opened import Opened
from headway.run.options import On, StageOptions, choose, is_coroutine_function
from headway.run.retry import Retry

if TYPE_CHECKING:
    import asyncio

__all__ = ["Executor"]

P = ParamSpec("P")
T = TypeVar("T")

_KNOWN = 256
"""Of so many functions `auto` remembers what it has learnt."""


class _Asked(NamedTuple):
    """A call that was asked for."""

    future: Future[Any]
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    choice: Choice
    retry: Retry | None


class Executor(concurrent.futures.Executor):
    """Runs calls and gives their futures (PEP 3148); for `with`, `async with`, and whatever takes an executor.

    `map` is that of concurrent.futures and submits everything at once; `headway.map(..., on=executor)` is lazy,
    uses the same workers and leaves them open. If the executor is on "auto", each map chooses for itself among the
    executor's workers.

    Args:
        on: As for `headway.map`. "auto" learns for each function: its first calls run on threads.
        workers: How many calls may run at a time; None is what suits the backend.
        timeout_s: A call that runs longer is stopped and fails with TimedOut; not on threads. Holds for what maps,
            pipelines and scopes run here, too, if they do not say another.
        retries: How often a failed call is tried again, or a `Retry`; None is 0. Holds for maps and pipelines on
            this executor, too, if they do not say another; not for scopes.
        initializer: Called in each worker before its first call, with `initargs`.
        initargs: Its arguments.
        memory_bytes: What a worker process may allocate.
    Raises:
        UsageError: The arguments do not go together.
    """

    def __init__(
        self,
        on: On = "auto",
        workers: int | None = None,
        *,
        timeout_s: float | None = None,
        retries: int | Retry | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        memory_bytes: int | None = None,
    ) -> None:
        self._options = StageOptions(
            on=on,
            workers=workers,
            timeout_s=timeout_s,
            retries=retries,
            initializer=initializer,
            initargs=initargs,
            memory_bytes=memory_bytes,
        )
        self._retry = self._options.retry
        self._lock = threading.Lock()
        self._closed = False
        self._pending: dict[Future[Any], Batch] = {}
        self._timers: set[threading.Timer] = set()
        loans = self._options.loans(None)
        self._opened = loans or Opened(workers, self._options.setup, awaited=True)
        self._choices: dict[object, tuple[str, Choice]] = {}
        self._checked: Callable[[], object] = lambda: None
        """The code of the function that was last found to be one that can run here, or what has no code itself."""
        self._fixed = (
            None
            if on == "auto" or loans
            else choose(abs, self._options, loop=None, inline=False, awaited=True)
        )

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Ask for a call.

        Returns:
            Its future.
        Raises:
            RuntimeError: The executor is shut down.
            UsageError: It is a coroutine function, and there is no event loop to run it.
        """
        if self._fixed is not None and getattr(fn, "__code__", fn) is not self._checked():
            self._check(fn, self._fixed.backend.name)
        return self._ask(fn, args, kwargs, fn, self._retry)

    def _ask(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        like: Callable[..., Any],
        retry: Retry | None,
    ) -> Future[Any]:
        """Ask for a call on the backend that is right for a function like the one that it makes."""
        future: Future[Any] = Future(self._stop, self._attend)
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            asked = _Asked(future, fn, args, kwargs, self._choice(like), retry)
            batch = self._batch(asked, 1)
            batch.claim = future._claim
        self._give(batch)
        return future

    def _batch(self, asked: _Asked, tried: int, begun: Begun | None = None) -> Batch:
        """Make the batch of a call, or of the coroutine that it has returned; the caller has the lock."""
        choice = asked.choice
        batch = Batch(
            choice.form(asked.fn) if begun is None else finish,
            [asked.args if begun is None else (begun,)],
            self._take,
            star=True,
            kwargs=asked.kwargs if begun is None else NO_KWARGS,
            timeout_s=self._options.timeout_s,
        )
        batch.tag = (asked, choice.backend, tried)
        self._pending[asked.future] = batch
        return batch

    def _check(self, fn: Callable[..., Any], kind: str) -> None:
        self._options.check(fn, kind)
        with contextlib.suppress(TypeError):  # it has no weak references, and is looked at each time
            self._checked = weakref.ref(getattr(fn, "__code__", fn))

    def _choice(self, fn: Callable[..., Any]) -> Choice:
        if self._fixed is not None:
            return self._fixed
        key = same_work(fn)
        known = self._choices.get(key)
        if known is None:
            choice: Choice
            if len(self._choices) >= _KNOWN:
                self._choices.pop(next(iter(self._choices)))
            if is_coroutine_function(fn):
                choice = _Task(self._opened)
            else:
                choice = Auto(fn, self._opened, inline=False, stops=self._options.stops)
            known = self._choices[key] = name_of(fn), choice
        return known[1]

    def _lend(self) -> Lent | None:
        """The backend for calls of others, which end with them; None if there is not one for all functions."""
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
        return None if self._fixed is None else Lent(self._fixed.backend, self._options.timeout_s)

    def _lend_choice(self, loop: asyncio.AbstractEventLoop | None) -> Loans | None:
        """The backends from which "auto" chooses, for calls of others; None if this executor does not choose."""
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
        if self._fixed is not None:
            return None
        options = self._options
        return Loans(
            self._lend_one, self._opened.workers, options.setup, timeout_s=options.timeout_s, loop=loop
        )

    def _lend_one(self, name: str) -> Backend:
        with self._lock:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            return self._opened.get(name)

    def _give(self, batch: Batch) -> None:
        asked, backend, _ = batch.tag
        if seam.observers:
            seam.submitted(batch, backend.name)
        try:
            backend.submit(batch)
        except BaseException:
            self._pending.pop(asked.future, None)
            raise

    def _take(self, portion: Portion) -> None:
        asked, _, tried = portion.batch.tag
        if seam.observers:
            seam.ended(portion)
        error = portion.errors.get(0)
        if error is None and asked.choice is self._fixed:  # which learns nothing
            self._pending.pop(asked.future, None)
            asked.future._settle(portion.values[0], None)
            return
        begun = None
        with self._lock:
            again = error is not None and asked.choice.rescue(error)
            if asked.choice.begun(portion):
                begun = Begun(portion.values[0])
            elif not again:
                asked.choice.learn(portion, None)
        if again or begun is not None:
            self._run_again(asked, tried, begun)
            return
        pause_s = None if error is None or asked.retry is None else asked.retry.again(error, tried)
        if pause_s is not None and not isinstance(error, CancelledError):
            self._run_later(asked, tried + 1, pause_s)
            return
        self._pending.pop(asked.future, None)
        asked.future._settle(portion.values[0], error)

    def _run_again(self, asked: _Asked, tried: int, begun: Begun | None = None) -> None:
        with self._lock:
            if asked.future.done():
                return
            batch = self._batch(asked, tried, begun)
        try:
            self._give(batch)
        except RuntimeError as error:  # shut down meanwhile
            asked.future._settle(None, error)

    def _run_later(self, asked: _Asked, tried: int, pause_s: float) -> None:
        if not pause_s:
            self._run_again(asked, tried)
            return

        def give() -> None:
            with self._lock:
                self._timers.discard(timer)
            self._run_again(asked, tried)

        timer = threading.Timer(pause_s, give)
        timer.daemon = True
        with self._lock:
            self._timers.add(timer)
        timer.start()

    def _attend(self, future: Future[Any], timeout_s: float | None) -> None:
        batch = self._pending.get(future)
        if batch is not None:
            backend: Backend = batch.tag[1]
            backend.attend(batch, future._waits, timeout_s)

    def _stop(self, future: Future[Any]) -> bool:
        with self._lock:
            batch = self._pending.get(future)
        if batch is None or not future.running():
            return False
        backend: Backend = batch.tag[1]
        if not backend.stop(batch, CancelledError()):
            return False
        future._stopped()  # unless its outcome came first; the one that comes now is too late
        return future.cancelled()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and let the workers go when all is done.

        Args:
            wait: Return only then.
            cancel_futures: Cancel what has not begun.
        """
        with self._lock:
            self._closed = True
            pending = list(self._pending)
            timers = list(self._timers)
        if cancel_futures:
            for future in pending:
                if concurrent.futures.Future.cancel(future):
                    self._pending.pop(future, None)
        if wait:
            for timer in timers:
                timer.join()
        if self._fixed is not None:
            self._fixed.close(wait=wait, abort=False)
        self._opened.close(wait=wait, abort=False)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool | None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            # Whoever presses Ctrl-C does not want to wait for what is left.
            with contextlib.suppress(UsageError):
                self.abort()
            return None
        self.shutdown(wait=True)
        return None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        # As `with`, but the event loop goes on meanwhile. A task that is cancelled does not wait for what is left.
        import asyncio

        if kind is not None and issubclass(kind, asyncio.CancelledError | KeyboardInterrupt):
            self.abort()
            return
        try:
            await asyncio.get_running_loop().run_in_executor(None, self.shutdown)
        except asyncio.CancelledError:
            self.abort()
            raise

    def abort(self) -> None:
        """Shut down at once: cancel what has not begun, and stop what runs where that is possible."""
        self.shutdown(wait=False, cancel_futures=True)
        if self._fixed is not None:
            self._fixed.close(wait=False, abort=True)
        self._opened.close(wait=False, abort=True)

    def why(self) -> dict[str, list[str]]:
        """For each function that "auto" knows: which backends it chose, and the numbers why."""
        with self._lock:
            found: dict[str, list[str]] = {}
            for name, choice in self._choices.values():
                found.setdefault(name, []).extend(choice.why())
            return found


class _Task(Fixed):
    """The choice for a coroutine function."""

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened.get("asyncio"), owned=False)

    def why(self) -> list[str]:
        return ["asyncio: a coroutine function"]
