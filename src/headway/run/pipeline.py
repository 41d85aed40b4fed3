"""`pipeline | step | step`: items go through several functions, each on its own backend, all at once."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from headway.errors import UsageError
from headway.run.options import On, OnError, StageOptions
from headway.run.progress import Told, open_progress
from headway.run.reading import Plan
from headway.run.results import Results
from headway.run.retry import Retry
from headway.run.stage import Stage

if TYPE_CHECKING:
    import asyncio

__all__ = ["Pipeline", "Step", "pipeline", "step"]

R = TypeVar("R")
S = TypeVar("S")


@dataclass(frozen=True)
class Step(Generic[R]):
    """A function and how it is run over the items of a pipeline; made by `step`."""

    fn: Callable[..., R]
    options: StageOptions

    def __ror__(self, items: Iterable[Any] | AsyncIterable[Any]) -> Pipeline[R]:
        """`items | step`, for inputs that do not know `|` themselves."""
        return pipeline(items) | self


def step(
    fn: Callable[..., R],
    *,
    on: On = "auto",
    workers: int | None = None,
    ordered: bool = True,
    on_error: OnError = "raise",
    timeout_s: float | None = None,
    retries: int | Retry | None = None,
    buffer: int | None = None,
    initializer: Callable[..., object] | None = None,
    initargs: tuple[Any, ...] = (),
    memory_bytes: int | None = None,
) -> Step[R]:
    """Make a step of a pipeline: a function of one argument, which is what the step before returned.

    The options are those of `headway.map`. With `ordered=False` the next step gets results as they come. With
    `on_error="return"` it gets the exception as its argument; with "raise" what is already under way behind it still
    comes out, and then the exception.
    """
    if not callable(fn):
        raise UsageError(f"{fn!r} is not a function", hint="headway.step(function, on=...)")
    options = StageOptions(
        on=on,
        workers=workers,
        ordered=ordered,
        on_error=on_error,
        timeout_s=timeout_s,
        retries=retries,
        buffer=buffer,
        initializer=initializer,
        initargs=initargs,
        memory_bytes=memory_bytes,
    )
    options.check(fn)
    return Step(fn, options)


class Pipeline(Generic[R]):
    """Items, and the steps that they go through; a plan: reading it runs it, each time anew.

    `for` and `async for` read it. `results()` is the same with `close`, `with` and `report`.
    """

    def __init__(
        self,
        items: Iterable[Any] | AsyncIterable[Any],
        steps: tuple[Step[Any], ...] = (),
        progress: bool | str | Told = False,
    ) -> None:
        self._items = items
        self._steps = steps
        self._progress = progress

    def __or__(self, other: Step[S] | Callable[[Any], S]) -> Pipeline[S]:
        added = other if isinstance(other, Step) else step(other)
        return Pipeline(self._items, (*self._steps, added), self._progress)

    def results(self) -> Results[R]:
        """Begin to read.

        Raises:
            UsageError: The pipeline has no step.
        """
        if not self._steps:
            raise UsageError(
                "the pipeline has no step", hint="headway.pipeline(items) | headway.step(function)"
            )
        items = self._items
        kept = not any(one.options.on_error == "skip" for one in self._steps)
        length = len(items) if isinstance(items, Sized) and kept else None
        asked = [(one.fn, one.options.on) for one in self._steps]
        plan = Plan(iter(items) if isinstance(items, Iterable) else items, length, self._stages, asked)
        return Results(plan, open_progress(self._progress, self._name))

    @property
    def _name(self) -> str:
        return " | ".join(getattr(one.fn, "__qualname__", type(one.fn).__qualname__) for one in self._steps)

    def __repr__(self) -> str:
        steps = f" | {self._name}" if self._steps else ""
        return f"<Pipeline {type(self._items).__qualname__}{steps} at {id(self):#x}>"

    def _stages(self, loop: asyncio.AbstractEventLoop | None) -> list[Stage]:
        # The reader's thread moves items between several stages, and must not be kept by one of them.
        inline = loop is None and len(self._steps) == 1
        return [one.options.stage(one.fn, star=False, loop=loop, inline=inline) for one in self._steps]

    def __iter__(self) -> Iterator[R]:
        return iter(self.results())

    def __aiter__(self) -> AsyncIterator[R]:
        return aiter(self.results())


def pipeline(
    items: Iterable[Any] | AsyncIterable[Any], *, progress: bool | str | Told = False
) -> Pipeline[Any]:
    """Begin a pipeline: `headway.pipeline(items) | headway.step(f) | headway.step(g)`.

    All steps work at the same time, on different items. Each takes items from the one before only as fast as it can
    use them, so a slow step slows down those before it, down to the input; memory stays bounded.

    Args:
        items: The input; an asynchronous one is read by `async for`.
        progress: As for `headway.map`.
    Raises:
        UsageError: It is not iterable.
    """
    if not isinstance(items, Iterable | AsyncIterable):
        raise UsageError(
            f"{items!r} is not iterable", hint="headway.pipeline(items) | headway.step(function)"
        )
    return Pipeline(items, progress=progress)
