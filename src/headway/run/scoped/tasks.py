"""The asyncio side of a scope: its tasks, and the task that entered it."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any

from headway.run.scoped.job import Job

__all__ = ["Tasks"]


class Tasks:
    """The tasks of a scope, and its host: the task in which its body runs.

    Made in the host. All methods but `cancel` belong to the thread of the event loop.

    Args:
        end: Told of each task's job how it ended.
        drop: Told the job of each task that was cancelled or interrupted.
        stop: Cancels the scope.

    Source: asyncio.TaskGroup, which cannot be cancelled from outside, and before 3.13 counts its own cancellations
        of the host as foreign ones in some cases (python/cpython#116720).
    """

    def __init__(
        self,
        end: Callable[[Job[Any], Any, BaseException | None], object],
        drop: Callable[..., object],
        stop: Callable[[], object],
    ) -> None:
        self._end = end
        self._drop = drop
        self._stop = stop
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        host = asyncio.current_task()
        assert host is not None
        self._host = host
        # How often the host was asked to cancel from elsewhere, when the scope was entered.
        self._asked_before = host.cancelling()
        self._in_body = True
        self._asked = False
        """Whether this asked the host to cancel."""

    def here(self) -> bool:
        """Whether this is the thread of the event loop."""
        return threading.get_ident() == self._thread

    def call_later(self, delay_s: float, act: Callable[[], object]) -> Callable[[], object]:
        """Act after some time; returns what prevents it."""
        return self._loop.call_later(delay_s, act).cancel

    def start(
        self,
        job: Job[Any],
        fn: Callable[..., Coroutine[Any, Any, Any]],
        args: Any,
        kwargs: Any,
        context: Context,
    ) -> None:
        """Make a task of a call."""
        task = self._loop.create_task(self._run(job, fn, args, kwargs), name=job.name, context=context)
        self._tasks.add(task)
        task.add_done_callback(functools.partial(self._done, job))

    def _done(self, job: Job[Any], task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # else asyncio complains that nobody looked at it
        # Subtle: a task that is cancelled before its first step never runs, so it cannot end its job itself.
        self._drop(job)

    def cancel(self) -> None:
        """Cancel all tasks, and the body; once, and from any thread."""
        if self.here():
            self._cancel()
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._in_body:
            self._asked = True
            self._host.cancel()

    async def leave(self, jobs: Callable[[], Job[Any] | None], cancelled: Callable[[], object]) -> bool:
        """Wait until all jobs have ended, also if the host is cancelled again and again.

        Args:
            jobs: Returns one that has not ended.
            cancelled: Called when the host is cancelled.

        Returns:
            Whether the host was cancelled from elsewhere.
        """
        self._in_body = False
        if self._asked:
            # The body may have ended before our cancellation reached it; let it come now, and not later.
            await self._shielded(asyncio.sleep(0))
            self._host.uncancel()
        if self._interrupted():
            cancelled()
        while (job := jobs()) is not None:
            await self._shielded(job._ended())
            if self._interrupted():
                cancelled()
        return self._interrupted()

    def _interrupted(self) -> bool:
        return self._host.cancelling() > self._asked_before

    async def _shielded(self, waiting: Coroutine[Any, Any, None]) -> None:
        with suppress(asyncio.CancelledError):  # the host counts it, see `_interrupted`
            await waiting

    async def _run(
        self, job: Job[Any], fn: Callable[..., Coroutine[Any, Any, Any]], args: Any, kwargs: Any
    ) -> None:
        if not job._claim():
            return
        try:
            value = await fn(*args, **kwargs)
        except asyncio.CancelledError:
            self._drop(job)
            raise
        except (KeyboardInterrupt, SystemExit) as error:
            # It goes on through the event loop, which ends, and not through the scope, too.
            self._drop(job, error=error)
            self._stop()
            raise
        except BaseException as error:
            self._end(job, None, error)
        else:
            self._end(job, value, None)
