"""Calls on their way: the tasks that wait for a worker, and the flights that one has."""

from __future__ import annotations

from contextvars import Context

from headway.run.batch import Batch

__all__ = ["Flight", "Task"]


class Task:
    """Some successive calls of a batch that wait for a worker."""

    __slots__ = ("batch", "claimed", "context", "crashes", "error", "sent", "start", "stop")

    def __init__(self, batch: Batch, context: Context) -> None:
        self.batch = batch
        self.context = context
        self.start = 0
        self.stop = len(batch.items)
        self.claimed = False
        self.crashes = 0
        """How many workers died while they had it and ran none of its calls."""

        self.sent = False
        """On its way, or there and answered."""
        self.error: BaseException | None = None
        """What to deliver instead of sending it; set if it is stopped while some thread has it in hand."""

    def part(self, start: int, stop: int) -> Task:
        """Some of its calls, by their place in the batch."""
        part = Task(self.batch, self.context)
        part.start, part.stop = start, stop
        part.claimed, part.crashes = self.claimed, self.crashes
        return part


class Flight:
    """A task that a worker has. All numbers are the worker's numbers of calls."""

    __slots__ = ("delivered", "end", "first", "local", "sent_ns", "stopped", "task")

    def __init__(self, task: Task, first: int, sent_ns: int, local: tuple[bytes, ...]) -> None:
        self.task = task
        self.first = first
        self.local = local
        """The modules of which things went by value."""
        self.end = first + task.stop - task.start
        """The first call after it; fewer than were sent if some were given to others."""
        self.delivered = first
        """The first call whose outcome is still to come."""
        self.sent_ns = sent_ns
        self.stopped = False
        """Whether its outcomes are delivered already, whatever the worker says."""

    def place(self, number: int) -> int:
        """Where in the batch a call is."""
        return self.task.start + number - self.first

    def part(self, start: int, end: int) -> Task:
        """Some of its calls, as a task."""
        return self.task.part(self.place(start), self.place(end))
