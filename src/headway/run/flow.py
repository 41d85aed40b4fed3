"""Items flow through stages, driven by whoever reads the results.

A flow has no thread of its own: `pump` gives work to the backends, `take` takes in what came back. Nothing here is
shared between threads but the queue of portions, so nothing is locked.
"""

from __future__ import annotations

from collections.abc import Callable

from headway.run.batch import Portion
from headway.run.source import Source
from headway.run.stage import Stage

__all__ = ["Flow"]


class Flow:
    """A source and the stages that its items go through, one after the other.

    Args:
        source: What comes in.
        stages: At least one.
        put: Where backends put portions, from any thread; what reads the flow gets them there.
    """

    def __init__(self, source: Source, stages: list[Stage], put: Callable[[Portion], None]) -> None:
        self.source = source
        self.stages = stages
        self.last = stages[-1]
        upstream: Source | Stage = source
        for stage in stages:
            stage.connect(upstream, put)
            upstream = stage

    @property
    def busy(self) -> bool:
        """Whether portions will come."""
        return any(stage.busy for stage in self.stages)

    @property
    def due_ns(self) -> int | None:
        """When something is to be done though nothing comes."""
        due_ns = None
        for stage in self.stages:
            of_stage_ns = stage.due_ns
            if of_stage_ns is not None and (due_ns is None or of_stage_ns < due_ns):
                due_ns = of_stage_ns
        return due_ns

    @property
    def failure(self) -> BaseException | None:
        """Why the flow ends early: of the failures, the one furthest downstream."""
        for stage in reversed(self.stages):
            if stage.failure is not None:
                return stage.failure
        return self.source.failure

    def pump(self) -> bool:
        """Give every backend what it should have; the last stage first, since that makes room for the others.

        Returns:
            Whether a stage should have more, and the input is slow.
        """
        more = False
        for stage in reversed(self.stages):
            more |= stage.pump()
        return more

    def take(self, portion: Portion) -> None:
        """Take in outcomes that came back, of whichever stage."""
        stage: Stage = portion.batch.tag[0]
        if stage.failure is None:
            stage.take(portion)

    def close(self, *, wait: bool, abort: bool) -> None:
        """Read no more, and let the backends go."""
        self.source.close()
        for stage in self.stages:
            stage.choice.close(wait=wait, abort=abort)
