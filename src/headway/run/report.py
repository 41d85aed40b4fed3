"""What became of the calls: how many, where, why there, and how their time was spent."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from headway.run.batch import Portion

__all__ = ["Report", "StageReport", "Tally"]


class Tally:
    """Sums over the portions of a stage; all times in ns."""

    def __init__(self) -> None:
        self.submitted = 0
        self.done = 0
        self.failed = 0
        self.retried = 0
        self.batches = 0
        self.queued_ns = self.sent_ns = self.running_ns = self.cpu_ns = self.returned_ns = 0
        self.workers: dict[str, int] = {}

    def add(self, portion: Portion) -> None:
        """Count outcomes that came back."""
        batch, _, values, _, (sent_ns, started_ns, ended_ns, cpu_ns, worker) = (
            portion  # the shortest way to all
        )
        count = len(values)
        self.done += count
        self.batches += 1
        if worker:
            self.workers[worker] = self.workers.get(worker, 0) + count
        if started_ns:
            self.queued_ns += sent_ns - batch.submitted_ns
            if started_ns > sent_ns:
                self.sent_ns += started_ns - sent_ns
            self.running_ns += ended_ns - started_ns
            self.cpu_ns += cpu_ns
            now_ns = time.monotonic_ns()
            if now_ns > ended_ns:
                self.returned_ns += now_ns - ended_ns


@dataclass(frozen=True)
class StageReport:
    """One stage of a flow; a map has one.

    The four times are sums over batches: a batch stood in the queue, was on its way to the worker, ran, and was on
    its way back until its reader took it in.
    """

    function: str
    """Its qualified name."""
    on: str
    """The backend that it used last."""
    workers: int
    """How many calls it allowed at a time, last."""
    why: list[str]
    """How the backend was chosen, in order, with the numbers."""
    calls: int
    """How many have ended."""
    failed: int
    """How many of these raised, at their last try."""
    retried: int
    """How many further tries there were."""
    batches: int
    """In how many batches calls came back."""
    queued_s: float
    """From the submission of a batch until it was sent to a worker."""
    sent_s: float
    """Until its first call began."""
    running_s: float
    """Until its last call ended."""
    cpu_s: float
    """Of the running time, what the workers' threads used of a core."""
    returned_s: float
    """Until the reader took in what came back."""
    calls_by_worker: dict[str, int] = field(repr=False)
    """Names of processes or threads, and how many calls each ran."""


@dataclass(frozen=True)
class Report:
    """What a map or a pipeline did so far."""

    wall_s: float
    """Since the first result was asked for."""
    stages: list[StageReport]
    """In the order in which items go through them; empty before the first result was asked for."""

    def __str__(self) -> str:
        if not self.stages:
            return "nothing has run: no result was asked for"
        lines = []
        for stage in self.stages:
            lines.append(
                f"{stage.function}: {stage.calls} calls on {stage.on} ({stage.workers} at a time) "
                f"in {self.wall_s:.3g} s, {stage.failed} failed, {stage.retried} retried"
            )
            lines += [f"  {reason}" for reason in stage.why]
            lines.append(
                f"  in {stage.batches} batches: queued {stage.queued_s:.3g} s, sent {stage.sent_s:.3g} s, "
                f"running {stage.running_s:.3g} s (on a core {stage.cpu_s:.3g} s), "
                f"returned {stage.returned_s:.3g} s"
            )
        return "\n".join(lines)
