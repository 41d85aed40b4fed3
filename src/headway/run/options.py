"""The options that maps, steps and executors share, checked in one place."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from headway.errors import UsageError
from headway.run.auto import Auto
from headway.run.backends.contract import Backend, Setup
from headway.run.backends.ending import abandon_at_exit
from headway.run.backends.open import check, open_backend
from headway.run.cancellation import CURRENT
from headway.run.choice import Choice, Fixed
from headway.run.loans import Loans
from headway.run.number import is_number, is_whole
from headway.run.opened import Opened
from headway.run.retry import Retry
from headway.run.stage import Stage

if TYPE_CHECKING:
    import asyncio

    import headway.run.executor

__all__ = ["On", "OnError", "StageOptions", "choose", "is_coroutine_function"]

On = str | Executor | Backend
"""What `on=` takes: a name or URL, an executor of concurrent.futures or like it, or a backend."""
_COROUTINE = 0x80
"""CO_COROUTINE of a function's code: https://docs.python.org/3/library/inspect.html#inspect.CO_COROUTINE"""
OnError = Literal["raise", "return", "skip"]


def is_coroutine_function(fn: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine: also for partials, and objects whose `__call__` is one."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return _is_marked(fn) or _is_marked(getattr(fn, "__call__", None))  # noqa: B004 (the method is what is wanted)


def _is_marked(fn: Any) -> bool:
    # As inspect.iscoroutinefunction, whose import costs more than all else here.
    fn = getattr(fn, "__func__", fn)
    flags = getattr(getattr(fn, "__code__", None), "co_flags", 0)
    return bool(flags & _COROUTINE) or hasattr(fn, "_is_coroutine_mark")


def _kind(on: On) -> str:
    """The name of the backend that makes the calls; "executor" of executors that are not ours."""
    if isinstance(on, str):
        return on
    if isinstance(on, Backend):
        return on.name
    executor = _ours(on)
    if executor is None:
        return "executor"
    lent = executor._lend()
    return "auto" if lent is None else lent.name


def _ours(on: On) -> headway.run.executor.Executor | None:
    """What was given as `on`, if it is an executor of headway."""
    if isinstance(on, str | Backend):
        return None
    from headway.run.executor import Executor as Ours  # which has options

    return on if isinstance(on, Ours) else None


@dataclass(frozen=True)
class StageOptions:
    """Everything that says how a function is run over items; see `headway.map`."""

    on: On = "auto"
    workers: int | None = None
    ordered: bool = True
    on_error: OnError = "raise"
    timeout_s: float | None = None
    retries: int | Retry | None = None
    buffer: int | None = None
    initializer: Callable[..., object] | None = None
    initargs: tuple[Any, ...] = ()
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        if self.on != "auto":
            check(self.on)
        if self.on_error not in ("raise", "return", "skip"):
            raise UsageError(f"on_error={self.on_error!r}: it is 'raise', 'return' or 'skip'")
        if not isinstance(self.ordered, bool):
            raise UsageError(f"ordered={self.ordered!r}: it is True or False")
        for name in ("workers", "buffer", "memory_bytes"):
            value = getattr(self, name)
            if value is not None and (not is_whole(value) or value < 1):
                raise UsageError(f"{name}={value!r}: it is at least 1, or None for what suits best")
        if self.timeout_s is not None and (not is_number(self.timeout_s) or not self.timeout_s > 0):
            raise UsageError(f"timeout_s={self.timeout_s!r}: it is more than 0, or None for no limit")
        retries = self.retries
        if not (retries is None or isinstance(retries, Retry) or (is_whole(retries) and retries >= 0)):
            raise UsageError(f"retries={self.retries!r}: it is 0 or more, or a headway.Retry")

    def check(self, fn: Callable[..., Any], kind: str | None = None) -> None:
        """Find out whether a function can run so.

        Args:
            fn: The function.
            kind: The name of the backend; None is what `on` says.
        Raises:
            UsageError: It is a coroutine function, which only an event loop runs.
        """
        if is_coroutine_function(fn) and (kind or _kind(self.on)) not in ("auto", "asyncio"):
            raise UsageError(
                f"{getattr(fn, '__qualname__', fn)} is a coroutine function, which on={self.on!r} cannot run",
                hint="leave `on` out, or give on='asyncio'",
            )

    @property
    def setup(self) -> Setup:
        """How workers are made."""
        return Setup(self.initializer, self.initargs, self.memory_bytes)

    @property
    def stops(self) -> bool:
        """Whether calls are to be stopped, or limited, as only some backends can."""
        executor = _ours(self.on)
        asked = self.timeout_s is not None or self.memory_bytes is not None
        return asked or (executor is not None and executor._options.stops)

    @property
    def in_workers(self) -> bool:
        """Whether calls need workers that were made for them."""
        executor = _ours(self.on)
        asked = self.initializer is not None or self.memory_bytes is not None
        return asked or (executor is not None and executor._options.in_workers)

    def loans(self, loop: asyncio.AbstractEventLoop | None) -> Loans | None:
        """The backends of an executor of headway that was given as `on`, and that chooses among them.

        None also if workers are asked for that it does not have: then it is an executor as any other.
        """
        executor = _ours(self.on)
        own = self.workers is not None or self.initializer is not None or self.memory_bytes is not None
        return None if executor is None or own else executor._lend_choice(loop)

    @property
    def retry(self) -> Retry | None:
        """What is done about calls that fail; None: they are not tried again."""
        if self.retries is None:
            executor = _ours(self.on)
            return None if executor is None else executor._retry
        retry = self.retries if isinstance(self.retries, Retry) else Retry(self.retries)
        return retry if retry.times else None

    def stage(
        self,
        fn: Callable[..., Any],
        *,
        star: bool,
        loop: asyncio.AbstractEventLoop | None,
        inline: bool,
        length: int | None = None,
    ) -> Stage:
        """The stage that runs `fn` so.

        Args:
            fn: The function.
            star: Whether an item is a tuple of arguments.
            loop: The event loop whose task reads the results, if it is one.
            inline: Whether calls may run in the reader's thread.
            length: How many calls there will be, if that is known.
        """
        return Stage(
            fn,
            choose(fn, self, loop=loop, inline=inline, awaited=False, length=length),
            star=star,
            ordered=self.ordered,
            on_error=self.on_error,
            retry=self.retry,
            timeout_s=self.timeout_s,
            buffer=self.buffer,
        )


def choose(
    fn: Callable[..., Any],
    options: StageOptions,
    *,
    loop: asyncio.AbstractEventLoop | None,
    inline: bool,
    awaited: bool,
    length: int | None = None,
) -> Choice:
    """The backend for a function, or what will choose it.

    Args:
        fn: The function.
        options: How it is to run.
        loop: The event loop whose task reads the results, if it is one.
        inline: Whether calls may run in the reader's thread.
        awaited: Whether the program waits for the calls before it ends.
        length: How many calls there will be, if that is known.

    Raises:
        UsageError: The options do not go together.
    """
    options.check(fn)
    on = options.on
    loans = options.loans(loop)
    if (on == "auto" or loans) and not is_coroutine_function(fn):
        return Auto(
            fn,
            loans or Opened(options.workers, options.setup, awaited=awaited, loop=loop),
            # A scope can end the wait for a call, but no call that runs in the reader's own thread.
            inline=inline and not options.in_workers and CURRENT.get() is None,
            stops=options.stops,
            length=length,
        )
    if loans:
        return Fixed(loans.get("asyncio"), owned=True)
    if on == "auto" or (is_coroutine_function(fn) and _kind(on) == "auto"):
        on = "asyncio"
    if on == "asyncio" and loop is not None:
        from headway.run.backends.event_loop import Asyncio

        backend: Backend = Asyncio(options.workers, options.setup, loop=loop)
    else:
        backend = open_backend(on, options.workers, options.setup)
    if options.timeout_s is not None and not backend.stops:
        backend.close(wait=False)
        raise UsageError(
            f"timeout_s={options.timeout_s!r}: a call on {backend.name} cannot be stopped",
            hint="on='processes' can; or give the call itself a time limit",
        )
    if not awaited and backend is not on:
        abandon_at_exit(backend)
    return Fixed(backend, owned=backend is not on)
